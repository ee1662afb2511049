"""More of a live process: devices, rings, debuggers, keys."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from conformance.actor import Actor
from conformance.syscalls import PAGE, PROT_RW, call, iovec, pointer


if TYPE_CHECKING:
    from collections.abc import Callable


_O_DIRECT = os.O_DIRECT
# tmpfs, ramfs, and overlayfs, which may lie over one of them.
_MEMORY_FILE_SYSTEMS = frozenset({0x01021994, 0x858458F6, 0x794C7630})

_SO_ZEROCOPY = 60
_MSG_ZEROCOPY = 0x4000000

_IORING_REGISTER_BUFFERS = 0
_IORING_OP_WRITE = 23
_IORING_ENTER_GETEVENTS = 1
_IORING_OFF_CQ_RING = 0x8000000
_IORING_OFF_SQES = 0x10000000
_PARAMS = "30I"

_UFFD_USER_MODE_ONLY = 1
_UFFDIO_API = 0xC018AA3F
_UFFDIO_REGISTER = 0xC020AA00
_UFFD_API = 0xAA
_UFFDIO_REGISTER_MODE_MISSING = 1

_PTRACE_PEEKDATA = 2
_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
_WALL = 0x40000000
_PR_SET_PTRACER = 0x59616D61

_PKEY_DISABLE_ACCESS = 1


class FullActor(Actor):
    """The running process, with the calls that only cases make."""

    def allow_tracers(self) -> None:
        """Let any process trace this one, if Yama would mind."""
        with contextlib.suppress(OSError):
            call("prctl", _PR_SET_PTRACER, -1, 0, 0, 0)

    def open_disk(self, *, direct: bool = False) -> int:
        """Open a file on a disk; ENOTSUP if only memory is at hand."""
        here = str(Path(__file__).parent)
        for folder in (here, tempfile.gettempdir(), "/var/tmp"):  # noqa: S108 a disk, with luck
            with contextlib.suppress(OSError):
                fd, name = tempfile.mkstemp(dir=folder)
                Path(name).unlink()
                if self.fs_magic(fd) not in _MEMORY_FILE_SYSTEMS:
                    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
                    extra = _O_DIRECT if direct else 0
                    fcntl.fcntl(fd, fcntl.F_SETFL, flags | extra)
                    return fd
                os.close(fd)
        raise OSError(95, "no disk", "open")

    def send(self, addr: int, count: int) -> int:
        """Send over a socket with a copy."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            return self.write(ours.fileno(), addr, count)

    def send_zerocopy(self, addr: int, count: int) -> int:
        """Send over TCP without a copy."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            ours = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
            with ours, theirs:
                ours.setsockopt(socket.SOL_SOCKET, _SO_ZEROCOPY, 1)
                return call(
                    "sendto", ours.fileno(), addr, count, _MSG_ZEROCOPY, 0, 0
                )

    def register_buffer(self, addr: int, count: int) -> None:
        """Register an io_uring buffer."""
        with _Ring() as ring:
            vector = iovec(addr, count)
            register = _IORING_REGISTER_BUFFERS
            call("io_uring_register", ring.fd, register, pointer(vector), 1)

    def uring_write(self, fd: int, addr: int, count: int) -> int:
        """Write by io_uring with a plain pointer."""
        with _Ring() as ring:
            return ring.write(fd, addr, count)

    def userfaultfd_register(self, addr: int, length: int) -> None:
        """Ask to handle missing pages."""
        fd = call("userfaultfd", os.O_CLOEXEC | _UFFD_USER_MODE_ONLY)
        try:
            fcntl.ioctl(
                fd, _UFFDIO_API, bytearray(struct.pack("3Q", _UFFD_API, 0, 0))
            )
            mode = _UFFDIO_REGISTER_MODE_MISSING
            request = struct.pack("4Q", addr, length, mode, 0)
            fcntl.ioctl(fd, _UFFDIO_REGISTER, bytearray(request))
        finally:
            os.close(fd)

    def ptrace_peek(self, pid: int, addr: int) -> bytes:
        """Attach, read a word, detach."""
        call("ptrace", _PTRACE_SEIZE, pid, 0, 0)
        try:
            call("ptrace", _PTRACE_INTERRUPT, pid, 0, 0)
            os.waitpid(pid, _WALL)
            word = ctypes.create_string_buffer(8)
            call("ptrace", _PTRACE_PEEKDATA, pid, addr, pointer(word))
            return word.raw
        finally:
            call("ptrace", _PTRACE_DETACH, pid, 0, 0)

    def race(self, addr: int, pages: int) -> None:
        """Let two threads touch the same pages at the same time."""
        libc = ctypes.CDLL(None)
        gate = threading.Barrier(2)

        def touch() -> None:
            gate.wait()
            # ctypes lets go of the interpreter during the call.
            libc.memset(
                ctypes.c_void_p(addr), 1, ctypes.c_size_t(pages * PAGE)
            )

        threads = [threading.Thread(target=touch) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def lock_by_key(self, addr: int, length: int) -> None:
        """Take access to the range away from this thread by a key."""
        libc = ctypes.CDLL(None, use_errno=True)
        key = libc.pkey_alloc(0, _PKEY_DISABLE_ACCESS)
        if key < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), "pkey_alloc")
        call("pkey_mprotect", addr, length, PROT_RW, key)


class _Ring:
    """An io_uring of four entries."""

    def __init__(self) -> None:
        """Set it up."""
        self._params = ctypes.create_string_buffer(struct.calcsize(_PARAMS))
        self.fd = call("io_uring_setup", 4, pointer(self._params))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def write(self, fd: int, addr: int, count: int) -> int:
        """Submit one write and give its result."""
        numbers = struct.unpack(_PARAMS, self._params.raw)
        sq, cq = numbers[10:20], numbers[20:30]
        shared = mmap.MAP_SHARED
        with (
            mmap.mmap(self.fd, PAGE, shared) as sq_ring,
            mmap.mmap(self.fd, PAGE, shared, offset=_IORING_OFF_SQES) as sqes,
            mmap.mmap(
                self.fd, PAGE, shared, offset=_IORING_OFF_CQ_RING
            ) as cq_ring,
        ):
            entry = struct.pack(
                "=BBHiQQII", _IORING_OP_WRITE, 0, 0, fd, 0, addr, count, 0
            )
            sqes[: len(entry)] = entry
            _, tail, _, _, _, _, array, *_ = sq
            sq_ring[array : array + 4] = struct.pack("I", 0)
            sq_ring[tail : tail + 4] = struct.pack("I", 1)
            enter = _IORING_ENTER_GETEVENTS
            call("io_uring_enter", self.fd, 1, 1, enter, 0, 0)
            entries = cq[5]
            (result,) = struct.unpack_from("=Qi", cq_ring, entries)[1:]
        if result < 0:
            raise OSError(-result, os.strerror(-result), "io_uring")
        return int(result)


def core_of(part: Callable[[], object]) -> bytes:
    """Run `part` in a child that then dumps core; the file's content."""
    with tempfile.TemporaryDirectory() as folder:
        pid = os.fork()
        if not pid:
            os.chdir(folder)
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            part()
            os.kill(os.getpid(), signal.SIGABRT)
        os.waitpid(pid, 0)
        cores = [path.read_bytes() for path in Path(folder).iterdir()]
    return cores[0] if cores else b""


def run_after_exec(code: str) -> str:
    """Exec Python in a child, with `code`; what it prints."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(writer, 1)
        program = [sys.executable, "-S", "-E", "-s", "-c", code]
        os.execv(sys.executable, program)  # noqa: S606 no shell is the point
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text
