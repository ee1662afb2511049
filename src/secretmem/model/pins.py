"""
The users of get_user_pages: all refused on secret memory with EFAULT.

Each would let something other than the process reach the page: a device,
another process through a pipe, a network card, a kernel thread.
"""

from __future__ import annotations

import errno

from secretmem.model import abi
from secretmem.model.copies import CopyCalls
from secretmem.model.errors import refusal
from secretmem.model.files import Disk, Pipe
from secretmem.model.task import syscall


class PinCalls(CopyCalls):
    """The calls that need the page itself."""

    @syscall
    def vmsplice(self, fd: int, addr: int, count: int) -> int:
        """
        Give pages to a pipe without a copy.

        Raises:
            OSError: EFAULT (secret memory), EBADF (not a pipe).

        """
        pipe = self.file(fd, "vmsplice")
        if not isinstance(pipe, Pipe):
            raise refusal(errno.EBADF, "vmsplice")
        data = self.pinned_bytes(addr, count)
        pipe.put(data)
        return len(data)

    @syscall
    def send_zerocopy(self, addr: int, count: int) -> int:
        """
        Send with MSG_ZEROCOPY: the network card reads the page.

        Raises:
            OSError: EFAULT (secret memory).

        """
        return len(self.pinned_bytes(addr, count))

    @syscall
    def send(self, addr: int, count: int) -> int:
        """
        Send with a copy: it works, and the copy lies in kernel memory.

        Raises:
            OSError: EFAULT (not mapped).

        """
        data = self.mm.copy_in(addr, count, self.memlock)
        Disk(self.kernel, direct=False).put(data)
        return len(data)

    @syscall
    def register_buffer(self, addr: int, count: int) -> None:
        """
        Register an io_uring buffer: a long-term pin, as RDMA and vfio use.

        Raises:
            OSError: EFAULT (secret memory).

        """
        self.pinned_bytes(addr, count)

    @syscall
    def uring_write(self, fd: int, addr: int, count: int) -> int:
        """
        Write by io_uring with a plain pointer: its workers copy as well.

        Raises:
            OSError: as `write`.

        """
        return self.write(fd, addr, count)

    @syscall
    def futex_shared(self, addr: int) -> int:
        """
        Wake a shared futex: it is found by its page, so it is refused.

        Raises:
            OSError: EFAULT (secret memory), EINVAL (unaligned).

        """
        if addr % 4:
            raise refusal(errno.EINVAL, "futex")
        self.mm.pin(abi.page_of(addr), self.memlock, write=True)
        return 0

    @syscall
    def userfaultfd_register(self, addr: int, length: int) -> None:
        """
        Ask to handle the faults of a range.

        Raises:
            OSError: EINVAL (secret memory, or a gap).

        """
        start = abi.page_of(addr)
        end = start + abi.pages_in(length)
        gap = self.mm.vmas.gap(start, end)
        secret = any(v.secret for v in self.mm.vmas.over(start, end))
        if gap is not None or secret:
            raise refusal(errno.EINVAL, "userfaultfd")
