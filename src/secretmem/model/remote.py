"""
One process acts on another: debuggers, descriptor theft, SCM_RIGHTS.

Two questions are asked, in this order: may the caller touch that process at
all (`may_access`: uid, dumpable, CAP_SYS_PTRACE), and then, for memory, is
the page secret. The second has no exception. Sources: kernel/ptrace.c,
mm/process_vm_access.c, fs/proc/base.c, kernel/pid.c.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.pins import PinCalls
from secretmem.model.task import Task, syscall


if TYPE_CHECKING:
    from secretmem.model.process import Process


class RemoteCalls(PinCalls):
    """The calls that name another process by its id."""

    @syscall
    def process_vm_readv(self, pid: int, addr: int, count: int) -> bytes:
        """
        Read another process's memory.

        Raises:
            OSError: ESRCH, EPERM, EFAULT (secret memory, for root too).

        """
        victim = self._victim(pid, errno.EPERM, "process_vm_readv")
        return _remote_read(victim, addr, count, force=False)

    @syscall
    def process_vm_writev(self, pid: int, addr: int, data: bytes) -> int:
        """
        Write another process's memory.

        Raises:
            OSError: ESRCH, EPERM, EFAULT (secret memory, for root too).

        """
        victim = self._victim(pid, errno.EPERM, "process_vm_writev")
        return _remote_write(victim, addr, data, force=False)

    @syscall
    def mem_read(self, pid: int, addr: int, count: int) -> bytes:
        """
        Read through /proc/PID/mem, which may ignore a mapping's rights.

        Raises:
            OSError: ENOENT, EACCES (at open), EIO (secret memory).

        """
        victim = self._proc_mem(pid)
        force = self.kernel.config.mem_forces
        try:
            return _remote_read(victim, addr, count, force=force)
        except OSError:
            raise refusal(errno.EIO, "pread64") from None

    @syscall
    def mem_write(self, pid: int, addr: int, data: bytes) -> int:
        """
        Write through /proc/PID/mem, which may ignore a mapping's rights.

        Raises:
            OSError: ENOENT, EACCES (at open), EIO (secret memory).

        """
        victim = self._proc_mem(pid)
        force = self.kernel.config.mem_forces
        try:
            return _remote_write(victim, addr, data, force=force)
        except OSError:
            raise refusal(errno.EIO, "pwrite64") from None

    @syscall
    def ptrace_peek(self, pid: int, addr: int) -> bytes:
        """
        Attach and read a word of 8 bytes.

        Raises:
            OSError: ESRCH, EPERM, EIO (secret memory).

        """
        victim = self._victim(pid, errno.EPERM, "ptrace")
        try:
            return _remote_read(victim, addr, 8, force=True)
        except OSError:
            raise refusal(errno.EIO, "ptrace") from None

    @syscall
    def pidfd_getfd(self, pid: int, fd: int) -> int:
        """
        Duplicate another process's descriptor: this reaches the secret.

        Only closing the descriptor after mmap shuts this way.

        Raises:
            OSError: ESRCH, EPERM, EBADF (closed), EMFILE.

        """
        victim = self._victim(pid, errno.EPERM, "pidfd_getfd")
        file = victim.file(fd, "pidfd_getfd")
        return self.install(file, "pidfd_getfd", cloexec=True)

    @syscall
    def send_fd(self, receiver: Process, fd: int) -> int:
        """
        Pass a descriptor by SCM_RIGHTS; the result is its new number.

        Raises:
            OSError: EBADF.

        """
        file = self.file(fd, "sendmsg")
        return receiver.install(file, "recvmsg", cloexec=True)

    def may_access(self, victim: Task) -> bool:
        """Apply the kernel's ptrace access check to `victim`."""
        if victim is self or abi.CAP_SYS_PTRACE in self.caps:
            return True
        return (
            victim.uid == self.uid
            and victim.dumpable
            and victim.caps <= self.caps
        )

    def _victim(self, pid: int, denied: int, call: str) -> Process:
        victim = self.kernel.processes.get(pid)
        if victim is None:
            raise refusal(errno.ESRCH, call)
        if not self.may_access(victim):
            raise refusal(denied, call)
        return victim

    def _proc_mem(self, pid: int) -> Process:
        if pid not in self.kernel.processes:
            raise refusal(errno.ENOENT, "open")
        victim = self._victim(pid, errno.EACCES, "open")
        # The files of a process that is not dumpable belong to root, for
        # the process itself too.
        if not victim.dumpable and self.uid != 0:
            raise refusal(errno.EACCES, "open")
        return victim


def _remote_read(
    victim: Process, addr: int, count: int, *, force: bool
) -> bytes:
    out = bytearray()
    while count > 0:
        begin = addr % abi.PAGE_SIZE
        size = min(count, abi.PAGE_SIZE - begin)
        frame = victim.mm.pin(
            abi.page_of(addr), victim.memlock, write=False, force=force
        )
        out += victim.kernel.ram.content(frame)[begin : begin + size]
        addr += size
        count -= size
    return bytes(out)


def _remote_write(
    victim: Process, addr: int, data: bytes, *, force: bool
) -> int:
    done = 0
    while done < len(data):
        begin = addr % abi.PAGE_SIZE
        part = data[done : done + abi.PAGE_SIZE - begin]
        frame = victim.mm.pin(
            abi.page_of(addr), victim.memlock, write=True, force=force
        )
        content = victim.kernel.ram.content(frame)
        content[begin : begin + len(part)] = part
        addr += len(part)
        done += len(part)
    return done
