"""The parts of an ELF core file, elf(5), 64-bit."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


_MAGIC = b"\x7fELF\x02"
_LOAD = 1

# e_phoff, e_phentsize and e_phnum; p_type, p_offset and p_filesz.
_TABLE = struct.Struct("=32xQ14xHH")
_HEADER = struct.Struct("=I4xQ16xQ")


def parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    Yield offset and content of all parts of a core file, none left out.

    Each segment of memory is a part, so that its pages are aligned; what
    lies between them (headers, notes with registers) is a part too.  A file
    that is no ELF file is one part.
    """
    done = 0
    for offset, size in sorted(_segments(data)):
        if offset > done:
            yield done, data[done:offset]
        yield offset, data[offset : offset + size]
        done = max(done, offset + size)
    if done < len(data):
        yield done, data[done:]


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield offset and size in bytes of the segments of memory."""
    if not data.startswith(_MAGIC):
        return
    table, size, count = _TABLE.unpack_from(data)
    for index in range(count):
        kind, offset, length = _HEADER.unpack_from(data, table + index * size)
        if kind == _LOAD and length:
            yield offset, length
