"""
The numbers of the Linux interface that the model speaks (x86-64 values).

Values come from the kernel's uapi headers. They do not depend on the system
the model runs on: a flag has its Linux value on every system, and an errno
has the value that the running system's `errno` module gives to its name.
"""

from __future__ import annotations

from typing import Final


PAGE_SIZE: Final = 4096
"""Bytes in a page."""
PAGES_PER_2M: Final = 512
"""Pages that one 2 MiB entry of the direct map covers."""
PAGES_PER_1G: Final = 512 * 512
"""Pages that one 1 GiB entry of the direct map covers."""

O_RDWR: Final = 0o2
O_NONBLOCK: Final = 0o4000
O_DIRECT: Final = 0o40000
O_LARGEFILE: Final = 0o100000
O_CLOEXEC: Final = 0o2000000
FD_CLOEXEC: Final = 1

S_IFREG: Final = 0o100000
SECRETMEM_MAGIC: Final = 0x5345434D
"""`statfs` type of a secretmem file, "SECM" (uapi/linux/magic.h)."""

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4
PROT_RW: Final = PROT_READ | PROT_WRITE

MAP_SHARED: Final = 0x01
MAP_PRIVATE: Final = 0x02
MAP_SHARED_VALIDATE: Final = 0x03
MAP_TYPE: Final = 0x0F
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_LOCKED: Final = 0x2000
MAP_POPULATE: Final = 0x8000
MAP_HUGETLB: Final = 0x40000
MAP_SYNC: Final = 0x80000
MAP_EXCLUSIVE: Final = 0x200000
"""The first form of the idea (October 2019); no released kernel has it."""

MREMAP_MAYMOVE: Final = 1
MREMAP_FIXED: Final = 2
MREMAP_DONTUNMAP: Final = 4

MADV_NORMAL: Final = 0
MADV_RANDOM: Final = 1
MADV_SEQUENTIAL: Final = 2
MADV_WILLNEED: Final = 3
MADV_DONTNEED: Final = 4
MADV_FREE: Final = 8
MADV_REMOVE: Final = 9
MADV_DONTFORK: Final = 10
MADV_DOFORK: Final = 11
MADV_MERGEABLE: Final = 12
MADV_HUGEPAGE: Final = 14
MADV_DONTDUMP: Final = 16
MADV_DODUMP: Final = 17
MADV_WIPEONFORK: Final = 18
MADV_KEEPONFORK: Final = 19
MADV_COLD: Final = 20
MADV_PAGEOUT: Final = 21
MADV_POPULATE_READ: Final = 22
MADV_POPULATE_WRITE: Final = 23
MADV_DONTNEED_LOCKED: Final = 24
MADV_COLLAPSE: Final = 25
MADV_GUARD_INSTALL: Final = 102
MADV_GUARD_REMOVE: Final = 103

MFD_CLOEXEC: Final = 0x1
MFD_SECRET: Final = 0x8
"""The second form of the idea (2020); no released kernel has it."""
MFD_SECRET_EXCLUSIVE: Final = 0x13
MFD_SECRET_UNCACHED: Final = 0x14
"""Request numbers (the low bytes) of the second form's ioctl."""
SECRETMEM_EXCLUSIVE: Final = 0x1
SECRETMEM_UNCACHED: Final = 0x2
"""Flags of the call's first versions (2020)."""

MSG_ZEROCOPY: Final = 0x4000000

SIGSYS: Final = 31
SIGBUS: Final = 7
SIGKILL: Final = 9
SIGSEGV: Final = 11

CAP_IPC_LOCK: Final = "CAP_IPC_LOCK"
CAP_SYS_PTRACE: Final = "CAP_SYS_PTRACE"
CAP_SYS_RAWIO: Final = "CAP_SYS_RAWIO"


def page_of(address: int) -> int:
    """Give the number of the page that holds `address`."""
    return address // PAGE_SIZE


def pages_in(length: int) -> int:
    """Give the number of pages that `length` bytes need, rounded up."""
    return -(-length // PAGE_SIZE)
