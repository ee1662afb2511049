"""
Search for the many shapes of a key at once; see ``finder.c``.

`leak.memory` uses it where there are more shapes than one memmem(3) each can
look for.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections import defaultdict
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    from leak.needle import Shape

_ROOM = 1 << 16


@cache
def _library() -> ctypes.CDLL:
    """Compile the C file once in a process."""
    source = Path(__file__).with_name("finder.c")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "finder.so")
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", built, source], check=True
        )
        library = ctypes.CDLL(str(built))
    library.finder_bytes.restype = ctypes.c_size_t
    library.finder_find.restype = ctypes.c_size_t
    return library


@lru_cache(maxsize=4)
def finder(shapes: tuple[Shape, ...]) -> Finder:
    """Make the finder of these shapes, once."""
    return Finder(shapes)


class Finder:
    """The pieces of shapes, entered into a table."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self._library = _library()
        self._table = (ctypes.c_uint8 * self._library.finder_bytes())()
        self._pieces: dict[bytes, list[tuple[Shape, int]]] = defaultdict(list)
        self._places = (ctypes.c_uint32 * _ROOM)()
        for shape in shapes:
            for place, chunk in shape.everywhere:
                self._pieces[chunk].append((shape, place))
                self._library.finder_enter(
                    self._table, int.from_bytes(chunk, "little")
                )

    def find(
        self, buffer: bytearray, size: int
    ) -> Iterator[tuple[str, range]]:
        """Give each stretch of ``buffer[:size]`` that belongs to a shape."""
        view = memoryview(buffer)[:size]
        seen: dict[int, int] = {}
        for at in self._candidates(buffer, size):
            for shape, place in self._pieces.get(
                view[at : at + 4].tobytes(), ()
            ):
                if seen.get(id(shape), 0) >= at + 4:
                    continue
                found = shape.extend(view, at, place)
                seen[id(shape)] = found.stop
                yield shape.name, found

    def _candidates(self, buffer: bytearray, size: int) -> Iterator[int]:
        start = ctypes.byref(ctypes.c_char.from_buffer(buffer))
        at = ctypes.c_size_t(0)
        while at.value + 4 <= size:
            count = self._library.finder_find(
                self._table,
                start,
                ctypes.c_size_t(size),
                ctypes.byref(at),
                self._places,
                ctypes.c_size_t(_ROOM),
            )
            yield from self._places[:count]
