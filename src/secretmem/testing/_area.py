"""The fake's `AreaBase` and descriptor: ordinary shared memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Final, Self

from secretmem import _errors
from secretmem.exceptions import BorrowError
from secretmem.model import abi
from secretmem.testing import _machine


MOST: Final = (1 << 63) - 1
"""Bytes of the largest size that a machine can name."""


class AreaBase(mmap.mmap):
    """
    Anonymous shared memory, which forked children have as well.

    With `keep_fd` it is a temporary file, so that another process that gets
    the descriptor can map it.
    """

    _share: bool
    _pid: int
    _fd: int | None

    def __new__(
        cls, size: int, *, share: bool, cloexec: bool, keep_fd: bool
    ) -> Self:
        """Map `size` bytes; the machine's limit counts."""
        if not isinstance(size, int):
            raise TypeError(f"a size is an int, not {type(size).__name__}")
        if not 0 < size <= MOST:
            raise ValueError(f"a size of the fake is from 1 to {MOST} bytes")
        whole = abi.pages_in(size) * abi.PAGE_SIZE
        machine = _machine.machine()
        machine.check_room(whole)
        fd = _file(cloexec=cloexec) if keep_fd else -1
        if keep_fd:
            os.ftruncate(fd, whole)
        self = super().__new__(cls, fd, size)
        self._share = share
        self._pid = os.getpid()
        self._fd = fd if keep_fd else None
        return self

    def _fileno(self) -> int | None:
        if self.closed:
            raise _errors.closed()
        return self._fd

    def _close(self, *, wipe: bool) -> None:
        if self.closed:
            return
        if self._in_use():
            raise BorrowError("a buffer of the area is still in use")
        if wipe:
            self.seek(0)
            mmap.mmap.write(self, bytes(len(self)))
        mmap.mmap.close(self)
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _in_use(self) -> bool:
        """A mapping refuses to be resized while anything exports it."""
        try:
            self.resize(len(self))
        except BufferError:
            return True
        except (OSError, SystemError, ValueError):
            # Not every system can resize; but the exports come first.
            return False
        return False

    def __buffer__(self, flags: int, /) -> memoryview:
        """Give the memory (Python 3.12 asks; before, it is not asked)."""
        if self.closed:
            raise _errors.closed()
        if not self._share and self._pid != os.getpid():
            raise _errors.forked()
        return super().__buffer__(flags)


def memfd_secret(flags: int, /) -> int:
    """
    Give a descriptor of an ordinary file without a name.

    Raises:
        OSError: what the fake machine answers to these flags.

    """
    cloexec = getattr(os, "O_CLOEXEC", abi.O_CLOEXEC)
    wanted = flags & ~cloexec
    if flags & cloexec:
        wanted |= abi.O_CLOEXEC
    process = _machine.machine().process
    process.close(process.memfd_secret(wanted))
    return _file(cloexec=bool(flags & cloexec))


def _file(*, cloexec: bool) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("secretmem-fake")
    else:
        fd, name = tempfile.mkstemp()
        os.unlink(name)  # noqa: PTH108 pathlib has no use here
    os.set_inheritable(fd, not cloexec)
    return fd
