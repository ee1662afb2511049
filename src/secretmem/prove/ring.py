"""
An io_uring made by hand, with one entry.

io_uring(7), include/uapi/linux/io_uring.h.
"""

from __future__ import annotations

import ctypes
import os
import struct

from secretmem.prove import linux


def _words(names: str) -> tuple[tuple[str, type[ctypes.c_uint32]], ...]:
    """Return fields of 32 bits, by name."""
    return tuple((name, ctypes.c_uint32) for name in names.split())


class _SubmissionOffsets(ctypes.Structure):
    """``struct io_sqring_offsets``: where the ring's words are."""

    _fields_ = _words("head tail mask entries flags dropped array a b c")


class _CompletionOffsets(ctypes.Structure):
    """``struct io_cqring_offsets``: where the ring's words are."""

    _fields_ = _words("head tail mask entries overflow cqes flags a b c")


class _RingSetup(ctypes.Structure):
    """``struct io_uring_params`` (include/uapi/linux/io_uring.h)."""

    _fields_ = (
        ("head", ctypes.c_uint32 * 10),
        ("submissions", _SubmissionOffsets),
        ("completions", _CompletionOffsets),
    )


class Ring:
    """
    An io_uring of one entry, made by hand: register a buffer, write it.

    io_uring_setup(2), io_uring_register(2), io_uring_enter(2).
    """

    _REGISTER_BUFFERS, _WRITE_FIXED, _GETEVENTS = 0, 5, 1
    _SQES = 0x10000000
    _SQE_SIZE = 64

    def __init__(self) -> None:
        """Set the ring up and map it; raises OSError."""
        self._setup = _RingSetup()
        self._fd = linux.syscall(
            "io_uring_setup", 1, ctypes.byref(self._setup)
        )
        access = linux.PROT_READ | linux.PROT_WRITE
        # One page holds either ring of a single entry (SINGLE_MMAP).
        self._rings = linux.map_file(self._fd, linux.PAGE, access)
        self._entry = linux.map_file(self._fd, linux.PAGE, access, self._SQES)

    def close(self) -> None:
        """Give the ring back; its registered buffers are unpinned."""
        linux.unmap(self._rings, linux.PAGE)
        linux.unmap(self._entry, linux.PAGE)
        os.close(self._fd)

    def register_buffer(self, address: int, size: int) -> None:
        """Pin a range as buffer 0."""
        vector = linux.IoVec(address, size)
        linux.syscall(
            "io_uring_register",
            self._fd,
            self._REGISTER_BUFFERS,
            ctypes.byref(vector),
            1,
        )

    def write_fixed(self, fd: int, address: int, size: int) -> int:
        """Write from buffer 0 and return the result or minus the errno."""
        entry = struct.pack(
            "=BBHiQQI", self._WRITE_FIXED, 0, 0, fd, 0, address, size
        )
        ctypes.memmove(self._entry, entry.ljust(self._SQE_SIZE, b"\0"), 64)
        array = self._setup.submissions.array
        self._word(array).value = 0
        self._word(self._setup.submissions.tail).value += 1
        linux.syscall(
            "io_uring_enter", self._fd, 1, 1, self._GETEVENTS, None, 0
        )
        return self._result()

    def _result(self) -> int:
        """Return the ``res`` of the only completion."""
        first = self._setup.completions.cqes + 8
        return ctypes.c_int32.from_address(self._rings + first).value

    def _word(self, offset: int) -> ctypes.c_uint32:
        """Return a word of the rings."""
        return ctypes.c_uint32.from_address(self._rings + offset)
