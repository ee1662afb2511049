"""
The witness: system calls by ctypes, independent of the package's own code.

Nothing of `secretmem` is imported here, not even the model's numbers: a
mistake in them must show as a difference. Numbers are from the kernel's
uapi headers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from typing import Final


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_X86 = {
    "read": 0,
    "write": 1,
    "pread64": 17,
    "pwrite64": 18,
    "mmap": 9,
    "sendto": 44,
    "mprotect": 10,
    "munmap": 11,
    "mremap": 25,
    "msync": 26,
    "madvise": 28,
    "clone": 56,
    "mlock": 149,
    "munlock": 150,
    "mlockall": 151,
    "munlockall": 152,
    "prctl": 157,
    "ptrace": 101,
    "futex": 202,
    "splice": 275,
    "vmsplice": 278,
    "fallocate": 285,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "getrandom": 318,
    "userfaultfd": 323,
    "mlock2": 325,
    "copy_file_range": 326,
    "pkey_mprotect": 329,
}
_GENERIC = {
    "read": 63,
    "write": 64,
    "pread64": 67,
    "pwrite64": 68,
    "mmap": 222,
    "sendto": 206,
    "mprotect": 226,
    "munmap": 215,
    "mremap": 216,
    "msync": 227,
    "madvise": 233,
    "clone": 220,
    "mlock": 228,
    "munlock": 229,
    "mlockall": 230,
    "munlockall": 231,
    "prctl": 167,
    "ptrace": 117,
    "futex": 98,
    "splice": 76,
    "vmsplice": 75,
    "fallocate": 47,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "getrandom": 278,
    "userfaultfd": 282,
    "mlock2": 284,
    "copy_file_range": 285,
    "pkey_mprotect": 288,
}
_EVERYWHERE = {
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "memfd_secret": 447,
    "mseal": 462,
}

NUMBERS: Final = {
    **(_X86 if platform.machine() == "x86_64" else _GENERIC),
    **_EVERYWHERE,
}

PAGE: Final = 4096

O_CLOEXEC: Final = 0o2000000
PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
PROT_RW: Final = 3
MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE = 1, 2, 3
MAP_FIXED, MAP_ANONYMOUS, MAP_LOCKED = 0x10, 0x20, 0x2000
MAP_POPULATE, MAP_HUGETLB, MAP_SYNC = 0x8000, 0x40000, 0x80000
MAP_FIXED_NOREPLACE: Final = 0x100000
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4

ADVICE: Final = {
    "NORMAL": 0,
    "RANDOM": 1,
    "SEQUENTIAL": 2,
    "WILLNEED": 3,
    "DONTNEED": 4,
    "FREE": 8,
    "REMOVE": 9,
    "DONTFORK": 10,
    "DOFORK": 11,
    "MERGEABLE": 12,
    "HUGEPAGE": 14,
    "DONTDUMP": 16,
    "DODUMP": 17,
    "WIPEONFORK": 18,
    "KEEPONFORK": 19,
    "COLD": 20,
    "PAGEOUT": 21,
    "POPULATE_READ": 22,
    "POPULATE_WRITE": 23,
    "DONTNEED_LOCKED": 24,
    "COLLAPSE": 25,
    "GUARD_INSTALL": 102,
    "GUARD_REMOVE": 103,
}

PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38

FUTEX_WAKE, FUTEX_PRIVATE = 1, 128

_LOWEST_ERROR: Final = -4095


def call(name: str, *arguments: int | ctypes.Array[ctypes.c_char]) -> int:
    """
    Make a system call by number.

    Integers go as 64-bit words, so that addresses and sizes are whole.

    Raises:
        OSError: what the kernel answered.

    """
    words = [
        ctypes.c_long(each) if isinstance(each, int) else each
        for each in arguments
    ]
    ctypes.set_errno(0)
    result = int(_libc.syscall(ctypes.c_long(NUMBERS[name]), *words))
    if result == -1 and ctypes.get_errno():
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return result


def error_name(error: OSError) -> str:
    """Give the name of an error's errno."""
    assert error.errno is not None
    # Two names, one number: the kernel's own word for it.
    if error.errno == errno.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno.errorcode[error.errno]


class Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def iovec(address: int, length: int) -> Iovec:
    """Describe `length` bytes at `address`."""
    return Iovec(address, length)


def pointer(value: ctypes.Structure | ctypes.Array[ctypes.c_char]) -> int:
    """Give the address of a ctypes value; the caller keeps it alive."""
    return ctypes.addressof(value)
