"""
Loads, stores, and the system calls that copy: they all work on secrets.

The manual page says that pointers into secret memory cannot be passed to
system calls. The kernel says otherwise: read, write, send and getrandom copy
through the caller's own page table. What `write` copies out then lies in
ordinary kernel memory.
"""

from __future__ import annotations

import errno

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.files import Disk, Pipe, SecretFile
from secretmem.model.task import Task, syscall


class CopyCalls(Task):
    """Loads and stores of the program, and calls that copy for it."""

    @syscall
    def load(self, addr: int, count: int) -> bytes:
        """
        Read memory as the program itself does.

        Raises:
            SignalError: SIGSEGV or SIGBUS; the process ends.

        """
        ram = self.kernel.ram
        return b"".join(
            bytes(ram.content(frame)[begin:end])
            for frame, begin, end in self.mm.parts(
                addr, count, self.memlock, write=False
            )
        )

    @syscall
    def store(self, addr: int, data: bytes) -> None:
        """
        Write memory as the program itself does.

        Raises:
            SignalError: SIGSEGV or SIGBUS; the process ends.

        """
        done = 0
        for frame, begin, end in self.mm.parts(
            addr, len(data), self.memlock, write=True
        ):
            part = data[done : done + end - begin]
            self.kernel.ram.content(frame)[begin:end] = part
            done += len(part)

    @syscall
    def write(self, fd: int, addr: int, count: int) -> int:
        """
        Write `count` bytes of memory to a pipe or a disk.

        The copy is whole or not at all; the real call may stop in between
        when a range crosses pages.

        Raises:
            OSError: EBADF, EINVAL (a secretmem file), EFAULT; with O_DIRECT
                EFAULT on secret memory, since a device would read it.

        """
        file = self.file(fd, "write")
        if isinstance(file, SecretFile):
            raise refusal(errno.EINVAL, "write")
        if isinstance(file, Disk) and file.direct:
            data = self.pinned_bytes(addr, count)
        else:
            data = self.mm.copy_in(addr, count, self.memlock)
        if isinstance(file, Disk | Pipe):
            file.put(data)
        return len(data)

    @syscall
    def read(self, fd: int, addr: int, count: int) -> int:
        """
        Read up to `count` bytes from a pipe into memory.

        Raises:
            OSError: EBADF, EINVAL (a secretmem file), EFAULT (the bytes
                stay in the pipe), EAGAIN (the pipe is empty; the model does
                not wait).

        """
        file = self.file(fd, "read")
        if not isinstance(file, Pipe):
            raise refusal(errno.EINVAL, "read")
        if not file.buffers:
            raise refusal(errno.EAGAIN, "read")
        size = min(count, sum(b.end - b.start for b in file.buffers))
        self.mm.copy_out(addr, bytes(size), self.memlock)
        self.mm.copy_out(addr, file.get(size), self.memlock)
        return size

    @syscall
    def pread(self, fd: int, addr: int, count: int) -> int:  # noqa: ARG002
        """
        Read at a position: secretmem files and pipes have none.

        Raises:
            OSError: EBADF, ESPIPE.

        """
        self.file(fd, "pread64")
        raise refusal(errno.ESPIPE, "pread64")

    @syscall
    def pwrite(self, fd: int, addr: int, count: int) -> int:  # noqa: ARG002
        """
        Write at a position: secretmem files and pipes have none.

        Raises:
            OSError: EBADF, ESPIPE.

        """
        self.file(fd, "pwrite64")
        raise refusal(errno.ESPIPE, "pwrite64")

    @syscall
    def getrandom(self, addr: int, count: int) -> int:
        """
        Fill memory: the model's generator gives 0xA5 bytes.

        This is how an allocator lets the kernel touch a page: over the
        limit it gets EFAULT where its own touch would get SIGBUS.

        Raises:
            OSError: EFAULT.

        """
        self.mm.copy_out(addr, b"\xa5" * count, self.memlock)
        return count

    @syscall
    def splice(self, from_fd: int, to_fd: int, count: int) -> int:
        """
        Move file content into a pipe without a copy.

        Raises:
            OSError: EBADF, EINVAL (a secretmem file has no content to move).

        """
        source = self.file(from_fd, "splice")
        self.file(to_fd, "splice")
        if not isinstance(source, Disk) or count <= 0:
            raise refusal(errno.EINVAL, "splice")
        return min(count, len(source.content))

    @syscall
    def sendfile(self, to_fd: int, from_fd: int, count: int) -> int:
        """
        Send file content from its position, without a copy.

        Raises:
            OSError: EBADF, EINVAL (a secretmem file has no content to send).

        """
        return self.splice(from_fd, to_fd, count)

    @syscall
    def futex_private(self, addr: int) -> int:
        """
        Wake a private futex; it is found by address, so it works.

        Raises:
            OSError: EINVAL (unaligned).

        """
        if addr % 4:
            raise refusal(errno.EINVAL, "futex")
        return 0

    def pinned_bytes(self, addr: int, count: int) -> bytes:
        """
        Read memory by get_user_pages, as a device or a debugger would.

        Raises:
            OSError: EFAULT on secret memory and outside of mappings.

        """
        out = bytearray()
        while count > 0:
            begin = addr % abi.PAGE_SIZE
            size = min(count, abi.PAGE_SIZE - begin)
            frame = self.mm.pin(abi.page_of(addr), self.memlock, write=False)
            out += self.kernel.ram.content(frame)[begin : begin + size]
            addr += size
            count -= size
        return bytes(out)
