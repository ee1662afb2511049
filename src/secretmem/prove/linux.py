"""
The Linux calls that attackers and victims make, through ctypes.

Every ctypes declaration of ``secretmem prove`` is in this file.  Functions
raise OSError with the errno of the call.  Addresses are numbers, sizes are
bytes.  Sources: the manual page of each call and the kernel headers named at
the constants (include/uapi/linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import sys
from typing import Any


PAGE = os.sysconf("SC_PAGESIZE")
MACHINE = os.uname().machine

# System calls without a wrapper in older C libraries (asm/unistd_64.h for
# x86-64; the generic table, asm-generic/unistd.h, for aarch64 and riscv64).
_X86 = {
    "bpf": 321,
    "perf_event_open": 298,
    "ptrace": 101,
    "pkey_mprotect": 329,
}
_GENERIC = {
    "bpf": 280,
    "perf_event_open": 241,
    "ptrace": 117,
    "pkey_mprotect": 288,
}
NUMBERS = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "pidfd_getfd": 438,
    **(_X86 if MACHINE == "x86_64" else _GENERIC),
}

PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2
MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 0x20
MADV_DONTDUMP, MADV_DODUMP, MADV_PAGEOUT = 16, 17, 21
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER = 1, 4, 0x59616D61
_PR_CAPBSET_DROP, _CAPABILITY_VERSION = 24, 0x20080522
MSG_ZEROCOPY = 0x4000000
_ANYBODY = 0xFFFFFFFFFFFFFFFF  # PR_SET_PTRACER_ANY

# Room for a ucontext_t: 968 bytes on x86-64, 4,560 on aarch64.
_CONTEXT_SIZE = 8192

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_POINTER_SIZE_INT: list[Any] = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = _POINTER_SIZE_INT
_libc.madvise.argtypes = _POINTER_SIZE_INT
_FD_POINTER_SIZE: list[Any] = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
for _call in (_libc.read, _libc.write):
    _call.restype = ctypes.c_ssize_t
    _call.argtypes = _FD_POINTER_SIZE
_libc.send.restype = ctypes.c_ssize_t
_libc.send.argtypes = [*_FD_POINTER_SIZE, ctypes.c_int]
_libc.syscall.restype = ctypes.c_long


class IoVec(ctypes.Structure):
    """``struct iovec`` of readv(2): a pointer and a length in bytes."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


for _call in (_libc.process_vm_readv, _libc.process_vm_writev):
    _call.restype = ctypes.c_ssize_t
    _call.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(IoVec),
        ctypes.c_ulong,
        ctypes.POINTER(IoVec),
        ctypes.c_ulong,
        ctypes.c_ulong,
    ]
_libc.vmsplice.restype = ctypes.c_ssize_t
_libc.vmsplice.argtypes = [
    ctypes.c_int,
    ctypes.POINTER(IoVec),
    ctypes.c_ulong,
    ctypes.c_uint,
]


class PyBuffer(ctypes.Structure):
    """``Py_buffer`` of the Python C API (bufferinfo, stable ABI 3.11)."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


def error_name(number: int | None) -> str:
    """Return the name of an errno, such as "EFAULT"."""
    return errno.errorcode.get(number or 0, f"errno {number}")


def _checked(result: int, what: str) -> int:
    """Return ``result``; raise OSError with the call's errno if it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {error_name(number)}")
    return result


def syscall(name: str, *arguments: int | ctypes.c_void_p | object) -> int:
    """Make a system call by name; integers are passed as 64-bit words."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = _libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
    return _checked(result, name)


def prctl(option: int, value: int) -> None:
    """Set a property of this process."""
    _checked(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def invite_attackers() -> None:
    """
    Let any process trace this one, and let it end with its parent.

    A forked child has to do it again: Yama's permission is not inherited.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):  # EINVAL: the kernel has no Yama
        prctl(PR_SET_PTRACER, _ANYBODY)


def drop_capabilities() -> None:
    """
    Give up all capabilities, for programs that are started too.

    The user stays the same, root too; capset(2), capabilities(7).
    """
    if os.geteuid() == 0:
        for number in range(64):
            with contextlib.suppress(OSError):  # EINVAL: no such capability
                prctl(_PR_CAPBSET_DROP, number)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, none), "capset")


def map_anonymous(size: int, protection: int = PROT_READ | PROT_WRITE) -> int:
    """Map ``size`` bytes of private zeroed memory; return the address."""
    flags = MAP_PRIVATE | MAP_ANONYMOUS
    address = _libc.mmap(None, size, protection, flags, -1, 0)
    return _checked(ctypes.c_long(address).value, "mmap")


def map_file(
    fd: int, size: int, protection: int = PROT_READ, offset: int = 0
) -> int:
    """Map ``size`` bytes of ``fd`` as MAP_SHARED; return the address."""
    address = _libc.mmap(None, size, protection, MAP_SHARED, fd, offset)
    return _checked(ctypes.c_long(address).value, "mmap")


def unmap(address: int, size: int) -> None:
    """Remove a mapping, munmap(2)."""
    _checked(_libc.munmap(address, size), "munmap")


def protect(address: int, size: int, protection: int) -> None:
    """Change the protection of whole pages, mprotect(2)."""
    _checked(_libc.mprotect(address, size, protection), "mprotect")


def lock(address: int, size: int) -> None:
    """Lock pages into RAM, mlock(2); counts against RLIMIT_MEMLOCK."""
    _checked(_libc.mlock(address, size), "mlock")


def advise(address: int, size: int, advice: int) -> None:
    """Advise the kernel about whole pages, madvise(2)."""
    _checked(_libc.madvise(address, size, advice), "madvise")


def read_into(fd: int, address: int, size: int) -> int:
    """Read up to ``size`` bytes of ``fd`` to ``address``, read(2)."""
    return _checked(_libc.read(fd, address, size), "read")


def write_from(fd: int, address: int, size: int) -> int:
    """Write ``size`` bytes at ``address`` to ``fd``, write(2)."""
    return _checked(_libc.write(fd, address, size), "write")


def send_from(fd: int, address: int, size: int, flags: int) -> int:
    """Send ``size`` bytes at ``address`` on a socket, send(2)."""
    return _checked(_libc.send(fd, address, size, flags), "send")


def splice_from(fd: int, address: int, size: int) -> int:
    """Put the pages at ``address`` into the pipe ``fd``, vmsplice(2)."""
    vector = IoVec(address, size)
    return _checked(_libc.vmsplice(fd, ctypes.byref(vector), 1, 0), "vmsplice")


def _vm_call(call: str, pid: int, local: IoVec, remote: IoVec) -> int:
    """Make one of the two process_vm calls with one vector each."""
    result: int = getattr(_libc, call)(
        pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0
    )
    return _checked(result, call)


def read_process(pid: int, address: int, size: int) -> bytes:
    """Read memory of another process, process_vm_readv(2)."""
    room = ctypes.create_string_buffer(size)
    local = IoVec(ctypes.addressof(room), size)
    got = _vm_call("process_vm_readv", pid, local, IoVec(address, size))
    return room.raw[:got]


def write_process(pid: int, address: int, data: bytes) -> int:
    """Write memory of another process, process_vm_writev(2)."""
    room = ctypes.create_string_buffer(data, len(data))
    local = IoVec(ctypes.addressof(room), len(data))
    remote = IoVec(address, len(data))
    return _vm_call("process_vm_writev", pid, local, remote)


def take_descriptor(pidfd: int, number: int) -> int:
    """Copy descriptor ``number`` out of a process, pidfd_getfd(2)."""
    return syscall("pidfd_getfd", pidfd, number, 0)


def copy(target: int, source: int, size: int) -> None:
    """Copy ``size`` bytes with the C library's memmove: a load by the CPU."""
    ctypes.memmove(target, source, size)


def address_of(buffer: object) -> tuple[int, int]:
    """
    Return the address and the length in bytes of a buffer's memory.

    Goes through PyObject_GetBuffer, so that it works for read-only buffers
    too, and gives the buffer back before it returns.
    """
    view = PyBuffer()
    get = ctypes.pythonapi.PyObject_GetBuffer
    get.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
    release = ctypes.pythonapi.PyBuffer_Release
    release.argtypes = [ctypes.c_void_p]
    get(buffer, ctypes.byref(view), 0)
    try:
        return int(view.buf), int(view.len)
    finally:
        release(ctypes.byref(view))


def file_system(path: os.PathLike[str]) -> int:
    """Return the magic number of the file system at ``path``, statfs(2)."""
    room = ctypes.create_string_buffer(256)
    call = _libc.statfs(os.fsencode(path), room)
    _checked(call, "statfs")
    return int.from_bytes(room.raw[:4], sys.byteorder)


def sodium() -> ctypes.CDLL | None:
    """Return libsodium, ready for use; None where it is not installed."""
    names = ("libsodium.so.23", "libsodium.so.26", "libsodium.so")
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.sodium_malloc.restype = ctypes.c_void_p
        library.sodium_malloc.argtypes = [ctypes.c_size_t]
        library.sodium_version_string.restype = ctypes.c_char_p
        if library.sodium_init() != -1:
            return library
    return None


def wipe(address: int, size: int) -> None:
    """Overwrite memory with zeros."""
    ctypes.memset(address, 0, size)


def run_on_stack(stack: int, size: int, work: int, work_size: int) -> None:
    """
    Run the C library's memset with its stack at ``stack``.

    It clears ``work_size`` bytes at ``work`` while the stack pointer lies in
    the given memory, as it does in native code with a stack of its own.
    makecontext(3), swapcontext(3).
    """
    here = ctypes.create_string_buffer(_CONTEXT_SIZE)
    there = ctypes.create_string_buffer(_CONTEXT_SIZE)
    _checked(_libc.getcontext(there), "getcontext")
    # uc_link, uc_stack.ss_sp, .ss_flags, .ss_size after uc_flags.
    words = (ctypes.c_size_t * 5).from_buffer(there)
    words[1] = ctypes.addressof(here)
    words[2], words[3], words[4] = stack, 0, size
    clear = ctypes.cast(_libc.memset, ctypes.c_void_p)
    arguments = (ctypes.c_void_p(work), 0, ctypes.c_size_t(work_size))
    _libc.makecontext(there, clear, 3, *arguments)
    _checked(_libc.swapcontext(here, there), "swapcontext")


def bytes_at(address: int, size: int) -> bytes:
    """Return a copy of ``size`` bytes at ``address``."""
    return ctypes.string_at(address, size)
