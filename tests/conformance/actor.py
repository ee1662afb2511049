"""
A live process as the model sees one: the same methods, on the real kernel.

Method for method these are the names and arguments of
`secretmem.model.Process`. The worker runs them by name; so do the cases.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from pathlib import Path

from conformance.syscalls import (
    FUTEX_PRIVATE,
    FUTEX_WAKE,
    PAGE,
    PR_SET_DUMPABLE,
    call,
    iovec,
    pointer,
)


_F_ADD_SEALS = 1033
_SEEK_END = 2
_FAR_FD = 200
PageView = tuple[str, int, bool, tuple[str, ...]] | None
"""Of a page: rights, page in the file, whether secret, VmFlags codes."""

_DUMPED_FLAGS = frozenset({"lo", "dd", "dc", "wf", "de"})


class FileActor:
    """Calls on descriptors."""

    def memfd_secret(self, flags: int = 0) -> int:
        """Create a secretmem file."""
        return call("memfd_secret", flags)

    def ftruncate(self, fd: int, size: int) -> None:
        """Set the size in bytes."""
        os.ftruncate(fd, size)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def dup(self, fd: int) -> int:
        """Duplicate a descriptor, without close-on-exec."""
        return fcntl.fcntl(fd, fcntl.F_DUPFD, 0)

    def getfd(self, fd: int) -> int:
        """Give the descriptor's flags."""
        return fcntl.fcntl(fd, fcntl.F_GETFD)

    def setfd(self, fd: int, flags: int) -> None:
        """Set the descriptor's flags."""
        fcntl.fcntl(fd, fcntl.F_SETFD, flags)

    def getfl(self, fd: int) -> int:
        """Give the open flags."""
        return fcntl.fcntl(fd, fcntl.F_GETFL)

    def fstat(self, fd: int) -> tuple[int, int, int]:
        """Give mode, size in bytes, links."""
        stat = os.fstat(fd)
        return stat.st_mode, stat.st_size, stat.st_nlink

    def fs_magic(self, fd: int) -> int:
        """Give fstatfs's f_type."""
        answer = ctypes.create_string_buffer(256)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.fstatfs(fd, answer):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), "fstatfs")
        return int.from_bytes(answer.raw[:8], "little")

    def descriptors(
        self, first: int, last: int
    ) -> list[tuple[int, int] | None]:
        """Give size and flags of each descriptor, None if not open."""
        found: list[tuple[int, int] | None] = []
        for fd in range(first, last):
            try:
                found.append((os.fstat(fd).st_size, self.getfd(fd)))
            except OSError:
                found.append(None)
        return found

    def link_name(self, fd: int) -> str:
        """Give what /proc/self/fd/N points to."""
        return str(Path(f"/proc/self/fd/{fd}").readlink())

    def lseek(self, fd: int) -> int:
        """Move the position to the end."""
        return os.lseek(fd, 0, _SEEK_END)

    def fallocate(self, fd: int, length: int) -> None:
        """Allocate `length` bytes at the start."""
        call("fallocate", fd, 0, 0, length)

    def fsync(self, fd: int) -> None:
        """Write back."""
        os.fsync(fd)

    def add_seals(self, fd: int, seals: int) -> None:
        """Add memfd seals."""
        fcntl.fcntl(fd, _F_ADD_SEALS, seals)

    def reopen(self, fd: int) -> int:
        """Open /proc/self/fd/N."""
        return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)

    def open_map_file(self, addr: int, length: int) -> int:
        """Open the mapping's entry in /proc/self/map_files."""
        name = f"/proc/self/map_files/{addr:x}-{addr + length:x}"
        return os.open(name, os.O_RDWR | os.O_CLOEXEC)

    def sendfile(self, to_fd: int, from_fd: int, count: int) -> int:
        """Send file content from its position."""
        return os.sendfile(to_fd, from_fd, None, count)

    def pipe(self) -> tuple[int, int]:
        """Make a pipe that does not wait."""
        return os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)


class MemoryActor:
    """Calls on mappings, loads and stores, calls that copy or pin."""

    def mmap(
        self,
        length: int,
        prot: int,
        flags: int,
        fd: int = -1,
        offset: int = 0,
        addr: int = 0,
    ) -> int:
        """Map memory."""
        return call("mmap", addr, length, prot, flags, fd, offset)

    def munmap(self, addr: int, length: int) -> None:
        """Unmap memory."""
        call("munmap", addr, length)

    def mprotect(self, addr: int, length: int, prot: int) -> None:
        """Change rights."""
        call("mprotect", addr, length, prot)

    def mremap(
        self, addr: int, old: int, new: int, flags: int = 0, to: int = 0
    ) -> int:
        """Grow, shrink or move a mapping."""
        return call("mremap", addr, old, new, flags, to)

    def madvise(self, addr: int, length: int, advice: int) -> None:
        """Advise."""
        call("madvise", addr, length, advice)

    def mlock(self, addr: int, length: int) -> None:
        """Lock."""
        call("mlock", addr, length)

    def munlock(self, addr: int, length: int) -> None:
        """Unlock."""
        call("munlock", addr, length)

    def mseal(self, addr: int, length: int) -> None:
        """Seal mappings."""
        call("mseal", addr, length, 0)

    def load(self, addr: int, count: int) -> bytes:
        """Read memory; may be killed."""
        return ctypes.string_at(addr, count)

    def store(self, addr: int, data: bytes) -> None:
        """Write memory; may be killed."""
        ctypes.memmove(addr, data, len(data))

    def write(self, fd: int, addr: int, count: int) -> int:
        """Write memory to a descriptor."""
        return call("write", fd, addr, count)

    def read(self, fd: int, addr: int, count: int) -> int:
        """Read from a descriptor into memory."""
        return call("read", fd, addr, count)

    def pread(self, fd: int, addr: int, count: int) -> int:
        """Read at position 0."""
        return call("pread64", fd, addr, count, 0)

    def pwrite(self, fd: int, addr: int, count: int) -> int:
        """Write at position 0."""
        return call("pwrite64", fd, addr, count, 0)

    def peek(self, addr: int, count: int) -> bytes:
        """Let the kernel copy memory out (copy_from_user), never killed."""
        out = ctypes.create_string_buffer(count)
        mine, theirs = iovec(addr, count), iovec(pointer(out), count)
        done = call(
            "process_vm_writev",
            os.getpid(),
            pointer(mine),
            1,
            pointer(theirs),
            1,
            0,
        )
        return out.raw[:done]

    def poke(self, addr: int, data: bytes) -> int:
        """Let the kernel copy into memory (copy_to_user), never killed."""
        source = ctypes.create_string_buffer(data, len(data))
        mine, theirs = (
            iovec(addr, len(data)),
            iovec(pointer(source), len(data)),
        )
        return call(
            "process_vm_readv",
            os.getpid(),
            pointer(mine),
            1,
            pointer(theirs),
            1,
            0,
        )

    def getrandom(self, addr: int, count: int) -> int:
        """Let the kernel fill memory."""
        return call("getrandom", addr, count, 0)

    def splice(self, from_fd: int, to_fd: int, count: int) -> int:
        """Move file content into a pipe."""
        return call("splice", from_fd, 0, to_fd, 0, count, 0)

    def vmsplice(self, fd: int, addr: int, count: int) -> int:
        """Give pages to a pipe."""
        vector = iovec(addr, count)
        return call("vmsplice", fd, pointer(vector), 1, 0)

    def futex_shared(self, addr: int) -> int:
        """Wake nobody on a shared futex."""
        return call("futex", addr, FUTEX_WAKE, 1, 0, 0, 0)

    def futex_private(self, addr: int) -> int:
        """Wake nobody on a private futex."""
        return call("futex", addr, FUTEX_WAKE | FUTEX_PRIVATE, 1, 0, 0, 0)

    def layout(self, addr: int, pages: int) -> list[PageView]:
        """Give what /proc/self/smaps says of each page from `addr`."""
        views: list[PageView] = [None] * pages
        for first, last, lines in smaps():
            for page in range(
                max(0, (first - addr) // PAGE),
                min(pages, (last - addr) // PAGE),
            ):
                views[page] = _view(lines, page - (first - addr) // PAGE)
        return views

    def contents(self, addr: int, pages: int) -> list[bytes | None]:
        """
        Give each page's bytes without trailing zeros, None for EFAULT.

        The kernel copies them, so no page kills.
        """
        found: list[bytes | None] = []
        for page in range(pages):
            try:
                data = self.peek(addr + page * PAGE, PAGE)
            except OSError:
                found.append(None)
            else:
                found.append(data.rstrip(b"\0"))
        return found

    def vm_flags(self, addr: int) -> set[str]:
        """Give the smaps VmFlags at `addr` that the model knows."""
        for first, last, lines in smaps():
            if first <= addr < last:
                flags = next(x for x in lines if x.startswith("VmFlags:"))
                return _known(flags)
        return set()

    def vm_lck(self) -> int:
        """Give VmLck in bytes."""
        status = _own("status")
        line = next(x for x in status if x.startswith("VmLck:"))
        return int(line.split()[1]) * 1024


class RemoteActor:
    """Calls that name another process."""

    def process_vm_readv(self, pid: int, addr: int, count: int) -> bytes:
        """Read another process's memory."""
        local = ctypes.create_string_buffer(count)
        mine, theirs = iovec(pointer(local), count), iovec(addr, count)
        done = call(
            "process_vm_readv", pid, pointer(mine), 1, pointer(theirs), 1, 0
        )
        return local.raw[:done]

    def process_vm_writev(self, pid: int, addr: int, data: bytes) -> int:
        """Write another process's memory."""
        local = ctypes.create_string_buffer(data, len(data))
        mine = iovec(pointer(local), len(data))
        theirs = iovec(addr, len(data))
        return call(
            "process_vm_writev", pid, pointer(mine), 1, pointer(theirs), 1, 0
        )

    def mem_read(self, pid: int, addr: int, count: int) -> bytes:
        """Read /proc/PID/mem."""
        fd = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            return os.pread(fd, count, addr)
        finally:
            os.close(fd)

    def mem_write(self, pid: int, addr: int, data: bytes) -> int:
        """Write /proc/PID/mem."""
        fd = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            return os.pwrite(fd, data, addr)
        finally:
            os.close(fd)

    def pidfd_getfd(self, pid: int, fd: int) -> int:
        """Duplicate another process's descriptor."""
        low = call("pidfd_open", pid, 0)
        # Out of the way, in case the victim is this process.
        pidfd = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _FAR_FD)
        os.close(low)
        try:
            return call("pidfd_getfd", pidfd, fd, 0)
        finally:
            os.close(pidfd)

    def set_dumpable(self, *, dumpable: bool) -> None:
        """PR_SET_DUMPABLE."""
        call("prctl", PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


class Actor(FileActor, MemoryActor, RemoteActor):
    """The running process."""


def _own(name: str) -> list[str]:
    """Give the lines of a file of /proc/self."""
    # As bytes: a worker that lost its user can import no codec any more.
    raw = Path("/proc/self", name).read_bytes()
    return [os.fsdecode(line) for line in raw.splitlines()]


def smaps() -> list[tuple[int, int, list[str]]]:
    """Give (start, end, lines) of each mapping of this process."""
    found: list[tuple[int, int, list[str]]] = []
    for line in _own("smaps"):
        head = line.split(" ", 1)[0]
        if "-" in head and ":" not in head:
            first, last = (int(x, 16) for x in head.split("-"))
            found.append((first, last, [line]))
        else:
            found[-1][2].append(line)
    return found


def _view(lines: list[str], step: int) -> PageView:
    _, rights, offset, *_, name = [*lines[0].split(maxsplit=5), ""][:6]
    flags = next(line for line in lines if line.startswith("VmFlags:"))
    secret = name.startswith("/secretmem")
    place = int(offset, 16) // PAGE + step if secret else 0
    return rights, place, secret, tuple(sorted(_known(flags)))


def _known(flags: str) -> set[str]:
    return set(flags.split()[1:]) & _DUMPED_FLAGS
