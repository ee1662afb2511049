"""
Processes that really hold secret memory, made without our own code.

A holder is a small interpreter that calls memfd_secret(2) through ctypes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal


if TYPE_CHECKING:
    from collections.abc import Iterator


Kind = Literal["area", "descriptor", "closed"]

# "area" keeps mapping and descriptor and has touched two pages, "closed"
# keeps the mapping alone, "descriptor" the descriptor alone.
_CODE = """
import ctypes, mmap, os, sys
kind, pages, private = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 4
size = pages * mmap.PAGESIZE
fd = libc.syscall(447, os.O_CLOEXEC)
if fd < 0:
    raise SystemExit(os.strerror(ctypes.get_errno()))
os.ftruncate(fd, size)
if kind != "descriptor":
    at = libc.mmap(None, size, 3, mmap.MAP_SHARED, fd, 0)
    if at == ctypes.c_void_p(-1).value:
        raise SystemExit(os.strerror(ctypes.get_errno()))
    ctypes.memset(at, 1, 1)
    ctypes.memset(at + mmap.PAGESIZE, 1, 1)
if kind == "closed":
    os.close(fd)
if private:
    libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(
    kind: Kind,
    pages: int = 4,
    *,
    uid: int | None = None,
    python: str = sys.executable,
    private: bool = False,
) -> Iterator[int]:
    """
    Run a holder and give its process id; it ends with the block.

    ``private`` makes it not dumpable; ``uid`` needs root.
    """
    child = subprocess.Popen(
        [python, "-I", "-S", "-c", _CODE, kind, str(pages), f"{private:d}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The group counts too for who may look into the process.
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
        env={"PATH": os.defpath},
    )
    with child:
        if child.stdout is None or child.stdout.readline() != "ready\n":
            _, said = child.communicate()
            raise RuntimeError(f"the holder ended: {said}")
        yield child.pid
        child.communicate("")
