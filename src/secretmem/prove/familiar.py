"""
Pages that need no search, because they are older than the needle.

Most of a process's memory, and so of its core file, is code and data that
were there before the needle was drawn: a page with the same content as a
page of that time cannot hold it.  Leaving them out makes a search through
tens of MiB quick without making it less complete.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove import linux


if TYPE_CHECKING:
    from collections.abc import Iterator


class Familiar:
    """The contents of pages that were seen before any needle."""

    def __init__(self) -> None:
        """Know no page yet: everything is searched."""
        self._pages: set[bytes] = set()

    def learn(self, data: bytes) -> None:
        """Take in the pages of ``data``, which no needle can be in."""
        self._pages.update(_split(data))

    def strange(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the runs of other pages in ``data``, with their offsets."""
        start: int | None = None
        for number, page in enumerate(_split(data)):
            if page in self._pages:
                if start is not None:
                    yield _run(data, start, number)
                start = None
            elif start is None:
                start = number
        if start is not None:
            yield _run(data, start, -(-len(data) // linux.PAGE))


def _split(data: bytes) -> Iterator[bytes]:
    """Yield the pages of ``data``; the last one may be short."""
    for offset in range(0, len(data), linux.PAGE):
        yield data[offset : offset + linux.PAGE]


def _run(data: bytes, start: int, end: int) -> tuple[int, bytes]:
    """Return the pages from ``start`` up to ``end``, and their offset."""
    offset = start * linux.PAGE
    return offset, data[offset : end * linux.PAGE]


def learn_process(pid: int) -> Familiar:
    """
    Return what the memory of ``pid`` holds now.

    Knows nothing when the process cannot be read: slower, not less exact.
    """
    from secretmem.prove import maps

    familiar = Familiar()
    try:
        memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return familiar
    try:
        for mapping in maps.touched(pid):
            for data in maps.chunks(memory, mapping):
                if isinstance(data, bytes):
                    familiar.learn(data)
    finally:
        os.close(memory)
    return familiar
