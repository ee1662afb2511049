"""A process with all its system calls, and its life: fork, exec, exit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from secretmem.model import abi
from secretmem.model.advice import AdviceCalls
from secretmem.model.filecalls import FileCalls
from secretmem.model.files import Descriptor
from secretmem.model.mapping import MappingCalls
from secretmem.model.memory import AddressSpace
from secretmem.model.remote import RemoteCalls
from secretmem.model.task import syscall
from secretmem.model.vma import VmFlag


if TYPE_CHECKING:
    from secretmem.model.vma import Vma


class Process(FileCalls, MappingCalls, AdviceCalls, RemoteCalls):
    """
    One process; its methods are its loads, stores and system calls.

    A refused call raises `OSError`. A call that gets a signal raises
    `SignalError`, and the process has ended then.
    """

    @syscall
    def fork(self) -> Process:
        """
        Make a child: it shares secret memory and descriptors.

        Private memory is copied on write. Secret mappings are shared, so
        each sees the other's stores; the child's copy of the mapping is not
        locked, and nobody's RLIMIT_MEMLOCK pays for it.
        """
        child = self.kernel.adopt(self)
        child.memlock = self.memlock
        child.nofile = self.nofile
        child.dumpable = self.dumpable
        child.first_fd = self.first_fd
        child.seccomp = dict(self.seccomp)
        child.fds = {
            number: Descriptor(entry.file, cloexec=entry.cloexec)
            for number, entry in self.fds.items()
        }
        for vma in self.mm.vmas.all():
            self._inherit(child.mm, vma)
        return child

    @syscall
    def exec(self) -> None:
        """
        Become another program: memory goes, O_CLOEXEC descriptors close.

        The process is dumpable again.
        """
        for vma in self.mm.vmas.all():
            self.mm.unmap(vma.start, vma.end)
        self.mm = AddressSpace(self.kernel)
        for number in list(self.fds):
            if self.fds[number].cloexec:
                self.fds.pop(number).file.let_go()
        self.dumpable = True

    @syscall
    def exit(self) -> None:
        """End; pages of which nobody holds a mapping or descriptor go."""
        self.end(None)

    def kill(self) -> None:
        """End by SIGKILL, as another process or the OOM killer does."""
        self.check_alive()
        self.end(abi.SIGKILL)

    def set_dumpable(self, *, dumpable: bool) -> None:
        """PR_SET_DUMPABLE: whether processes of the same uid may attach."""
        self.check_alive()
        self.dumpable = dumpable

    def _inherit(self, mm: AddressSpace, vma: Vma) -> None:
        if VmFlag.DONTFORK in vma.flags:
            return
        flags = vma.flags & ~VmFlag.LOCKED
        if vma.file is not None and self.kernel.config.mremap_fixed:
            flags |= VmFlag.DONTEXPAND
        mm.vmas.add(replace(vma, flags=flags))
        pages = range(vma.start, vma.end)
        mm.guards.update(self.mm.guards.intersection(pages))
        if vma.file is not None or VmFlag.WIPEONFORK in vma.flags:
            return
        for page in pages:
            if page in self.mm.table:
                frame = self.mm.table[page]
                self.kernel.ram.share(frame)
                mm.table[page] = frame
            if page in self.mm.swapped:
                mm.swapped[page] = self.mm.swapped[page]
