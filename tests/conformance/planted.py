"""
Wrong rules, each planted in the model to see whether the machine finds it.

A wrong rule is what somebody might believe: the manual page, an older
kernel, or the behaviour of ordinary shared memory.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from secretmem.model import abi
from secretmem.model.advice import AdviceCalls
from secretmem.model.copies import CopyCalls
from secretmem.model.errors import refusal
from secretmem.model.filecalls import FileCalls
from secretmem.model.files import SecretFile
from secretmem.model.kernel import Kernel
from secretmem.model.mapping import MappingCalls
from secretmem.model.memory import AddressSpace
from secretmem.model.process import Process
from secretmem.model.remote import RemoteCalls
from secretmem.model.vma import Vma, VmFlag


if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from secretmem.model.ram import Ram

    Plant = Callable[[pytest.MonkeyPatch], None]


def fd_cloexec_is_the_flag(patch: pytest.MonkeyPatch) -> None:
    """The manual page's flag, value 1, is accepted."""
    true = FileCalls.memfd_secret

    def wrong(task: FileCalls, flags: int = 0) -> int:
        return true(task, abi.O_CLOEXEC if flags == 1 else flags)

    patch.setattr(FileCalls, "memfd_secret", wrong)


def size_may_change(patch: pytest.MonkeyPatch) -> None:
    """A file may grow, as before 5.18."""
    patch.setattr(
        "secretmem.model.config.Config.size_once", property(lambda _: False)
    )


def pointers_are_refused(patch: pytest.MonkeyPatch) -> None:
    """The manual page: no pointer to the area may go to a system call."""

    def wrong(
        memory: AddressSpace, address: int, count: int, limit: int
    ) -> bytes:
        vma = memory.vmas.at(abi.page_of(address))
        if vma is not None and vma.secret:
            raise refusal(errno.EFAULT, "copy_from_user")
        return true(memory, address, count, limit)

    true = AddressSpace.copy_in
    patch.setattr(AddressSpace, "copy_in", wrong)


def root_may_read(patch: pytest.MonkeyPatch) -> None:
    """get_user_pages works on secret memory as on any other."""
    patch.setattr(Vma, "secret", property(lambda _: False))


def children_get_a_copy(patch: pytest.MonkeyPatch) -> None:
    """A child's area is a copy, as private memory would be."""

    def wrong(process: Process) -> Process:
        child = true(process)
        for vma in child.mm.vmas.all():
            if vma.file is None:
                continue
            file = SecretFile(child.kernel, child.uid)
            file.size = vma.file.size
            for index, page in vma.file.pages.items():
                copy = child.kernel.new_secret(file, 1 << 40)
                ram: Ram = child.kernel.ram
                ram.content(copy)[:] = ram.content(page)
                file.pages[index] = copy
            file.hold()
            vma.file.let_go()
            vma.file = file
        return child

    true = Process.fork
    patch.setattr(Process, "fork", wrong)


def children_keep_the_lock(patch: pytest.MonkeyPatch) -> None:
    """A child's mapping is locked and charged like its parent's."""

    def wrong(process: Process, memory: AddressSpace, vma: Vma) -> None:
        true(process, memory, vma)
        copy = memory.vmas.at(vma.start)
        if copy is not None:
            copy.flags |= vma.flags & VmFlag.LOCKED

    true = Process._inherit
    patch.setattr(Process, "_inherit", wrong)


def mlock_succeeds(patch: pytest.MonkeyPatch) -> None:
    """Locking an area that is locked already succeeds."""

    def wrong(task: MappingCalls, addr: int, length: int) -> None:
        page = abi.page_of(addr)
        inside = task.mm.vmas.over(page, page + abi.pages_in(length))
        if inside and all(vma.file for vma in inside):
            return
        true(task, addr, length)

    true = MappingCalls.mlock
    patch.setattr(MappingCalls, "mlock", wrong)


def unmapping_wipes(patch: pytest.MonkeyPatch) -> None:
    """Unmapping erases the pages although the descriptor is open."""

    def wrong(memory: AddressSpace, start: int, end: int) -> None:
        for vma in memory.vmas.over(start, end):
            if vma.file is not None:
                for page in vma.file.pages.values():
                    memory.kernel.ram.wipe(page)
        true(memory, start, end)

    true = AddressSpace.unmap
    patch.setattr(AddressSpace, "unmap", wrong)


def advice_may_drop_pages(patch: pytest.MonkeyPatch) -> None:
    """MADV_DONTNEED works on the parent's locked area."""

    def wrong(task: AdviceCalls, addr: int, length: int, advice: int) -> None:
        if advice == abi.MADV_DONTNEED:
            advice = abi.MADV_DONTNEED_LOCKED
        true(task, addr, length, advice)

    true = AdviceCalls.madvise
    patch.setattr(AdviceCalls, "madvise", wrong)


def limit_does_not_count_twice(patch: pytest.MonkeyPatch) -> None:
    """Mapping over a locked mapping needs no extra room."""
    patch.setattr(
        "secretmem.model.config.Config.counts_replaced",
        property(lambda _: False),
    )


def descriptors_survive_exec(patch: pytest.MonkeyPatch) -> None:
    """O_CLOEXEC is forgotten."""

    def wrong(process: Process) -> None:
        for entry in process.fds.values():
            entry.cloexec = False
        true(process)

    true = Process.exec
    patch.setattr(Process, "exec", wrong)


def stolen_descriptors_need_root(patch: pytest.MonkeyPatch) -> None:
    """pidfd_getfd is refused between processes of one user."""

    def wrong(task: RemoteCalls, victim: Process) -> bool:
        return victim is task or abi.CAP_SYS_PTRACE in task.caps

    patch.setattr(RemoteCalls, "may_access", wrong)


def a_page_ends_with_the_file(patch: pytest.MonkeyPatch) -> None:
    """A file of 100 bytes has no page, since it has no whole one."""

    def wrong(file: SecretFile, index: int) -> bool:
        return (index + 1) * abi.PAGE_SIZE <= file.size

    patch.setattr(SecretFile, "holds", wrong)


def read_gives_the_content(patch: pytest.MonkeyPatch) -> None:
    """read(2) on the descriptor works, as on a memfd."""

    def wrong(task: CopyCalls, fd: int, addr: int, count: int) -> int:
        file = task.file(fd, "read")
        if isinstance(file, SecretFile):
            return 0
        return true(task, fd, addr, count)

    true = CopyCalls.read
    patch.setattr(CopyCalls, "read", wrong)


def new_pages_keep_old_bytes(patch: pytest.MonkeyPatch) -> None:
    """A page is not zeroed when it is handed out."""

    def wrong(kernel: Kernel, file: SecretFile, limit: int) -> int:
        page = true(kernel, file, limit)
        kernel.ram.content(page)[100] = 1
        return page

    true = Kernel.new_secret
    patch.setattr(Kernel, "new_secret", wrong)


QUICK: Final[tuple[Plant, ...]] = (
    fd_cloexec_is_the_flag,
    pointers_are_refused,
    root_may_read,
    children_keep_the_lock,
    a_page_ends_with_the_file,
    new_pages_keep_old_bytes,
)
"""Found by a few dozen programs; a short run plants these."""

SLOW: Final[tuple[Plant, ...]] = (
    size_may_change,
    children_get_a_copy,
    mlock_succeeds,
    unmapping_wipes,
    advice_may_drop_pages,
    limit_does_not_count_twice,
    descriptors_survive_exec,
    stolen_descriptors_need_root,
    read_gives_the_content,
)
"""A long run plants these too."""
