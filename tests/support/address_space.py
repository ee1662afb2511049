"""Reading and opening memory as an attacker inside the process would."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    from support import holdings


PAGE = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.restype = ctypes.c_int
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def read(address: int, size: int) -> bytes:
    """Load from memory; a fault is a fault of the process."""
    return ctypes.string_at(address, size)


def open_up(mapped: holdings.Mapped) -> bool:
    """Make a mapping readable by mprotect(2), if the kernel lets us."""
    failed: int = _libc.mprotect(mapped.start, mapped.size, 1)
    return not failed


def contents(mappings: Iterable[holdings.Mapped]) -> bytes:
    """Return what lies in mappings, opened for the purpose."""
    found = b""
    for mapped in mappings:
        if open_up(mapped):
            found += read(mapped.start, mapped.size)
    return found


def clone() -> int:
    """
    Make a child by the bare system call, which runs no fork handler.

    As fork(2): the child gets 0.  It must end by ``os._exit``.
    """
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    sigchld = 17
    zero = ctypes.c_long(0)
    pid: int = _libc.syscall(number, sigchld, zero, zero, zero, zero)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid
