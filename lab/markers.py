"""
Count marked pages in a file of the host: a disk, or a guest's memory.

The same markers as in ``probe.c``: 16 bytes, then the page's number in four.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    import pathlib


ORDINARY = b"lab+ORDINARY+pg="
SECRET = b"lab+SECRETMEM+p="
NUMBER = 4
WINDOW = 1 << 22


class Count(NamedTuple):
    """How many different marked pages of each kind a file holds."""

    ordinary: int
    secret: int

    def __str__(self) -> str:
        """Return both numbers in words."""
        return f"ordinary {self.ordinary}, secret {self.secret} pages"


def count(path: pathlib.Path) -> Count:
    """Scan the file at *path* from end to end."""
    seen: dict[bytes, set[bytes]] = {ORDINARY: set(), SECRET: set()}
    kept = b""
    with path.open("rb") as source:
        while piece := source.read(WINDOW):
            window = kept + piece
            for marker, numbers in seen.items():
                _find(window, marker, numbers)
            kept = window[-(len(ORDINARY) + NUMBER - 1) :]
    return Count(len(seen[ORDINARY]), len(seen[SECRET]))


def _find(window: bytes, marker: bytes, numbers: set[bytes]) -> None:
    at = window.find(marker)
    while at >= 0:
        end = at + len(marker)
        if len(window) >= end + NUMBER:
            numbers.add(window[end : end + NUMBER])
        at = window.find(marker, end)
