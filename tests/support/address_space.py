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


def read(address: int, size: int) -> bytes:
    """Load from memory; a fault is a fault of the process."""
    return ctypes.string_at(address, size)


def make_writable(mapped: holdings.Mapped) -> None:
    """Open a mapping for writing, and give it the ordinary key."""
    read_write = 3
    number = {"x86_64": 329, "aarch64": 288}[os.uname().machine]
    start, size = ctypes.c_void_p(mapped.start), ctypes.c_size_t(mapped.size)
    # Without protection keys there is no key 0 either; -1 is plain mprotect.
    for key in (ctypes.c_int(0), ctypes.c_int(-1)):
        if _libc.syscall(number, start, size, read_write, key) == 0:
            return
    raise OSError(ctypes.get_errno(), "pkey_mprotect")


def contents(mappings: Iterable[holdings.Mapped]) -> bytes:
    """Return what lies in mappings, opened for the purpose."""
    found = b""
    for mapped in mappings:
        make_writable(mapped)
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
