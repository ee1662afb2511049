"""Which memory a process has, and which of it holds anything."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterator


PAGE = mmap.PAGESIZE

SECRET = "/secretmem (deleted)"
"""What the kernel calls secret memory (mm/secretmem.c)."""

# Pages of the kernel's own, the same for all processes or no memory.
_SPECIAL = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")

# Documentation/admin-guide/mm/pagemap.rst
_HERE = 1 << 63 | 1 << 62
_OF_FILE = 1 << 61
ENTRY = 8
_ENTRIES = 1 << 16


class Mapping(NamedTuple):
    """A line of /proc/PID/maps, proc_pid_maps(5)."""

    start: int
    stop: int
    rights: str
    name: str

    @property
    def kind(self) -> str:
        """Say what it is: heap, stack, file, shared, anonymous, secret."""
        if self.name == SECRET:
            return "secret"
        if self.name in ("[heap]", "[stack]"):
            return self.name[1:-1]
        if not self.name or self.name.startswith("["):
            return "anonymous"
        return "shared" if self.rights.endswith("s") else "file"


def mappings(pid: int) -> list[Mapping]:
    """List the memory of a process; OSError if this process may not."""
    found = []
    text = Path(f"/proc/{pid}/maps").read_text("utf-8", "surrogateescape")
    for line in text.splitlines():
        span, rights, _, _, _, *name = line.split(maxsplit=5)
        start, _, stop = span.partition("-")
        words = name[0] if name else ""
        if words not in _SPECIAL:
            found.append(Mapping(int(start, 16), int(stop, 16), rights, words))
    return found


def runs(
    pagemap: int, mapping: Mapping, *, written: bool = False
) -> Iterator[range]:
    """
    Give the parts of a mapping that can hold anything.

    Of private anonymous memory those are the pages that were touched
    (``/proc/PID/pagemap``, present or swapped): the others are zeros.  Of
    files and shared memory it is all; with ``written``, of private mappings
    of files only the pages that no longer hold their file.
    """
    anonymous = mapping.kind in ("heap", "stack", "anonymous")
    if mapping.rights.endswith("s") or not (anonymous or written):
        yield range(mapping.start, mapping.stop)
        return
    run = range(0)
    for page in _touched(pagemap, mapping, files=anonymous):
        if page == run.stop:
            run = range(run.start, page + PAGE)
            continue
        if run:
            yield run
        run = range(page, page + PAGE)
    if run:
        yield run


def _touched(pagemap: int, mapping: Mapping, *, files: bool) -> Iterator[int]:
    """Give the addresses of touched pages, those of a file perhaps not."""
    empty = bytes(ENTRY * _ENTRIES)
    first, end = mapping.start // PAGE, mapping.stop // PAGE
    for at in range(first, end, _ENTRIES):
        count = min(_ENTRIES, end - at)
        raw = os.pread(pagemap, count * ENTRY, at * ENTRY)
        if raw == empty[: len(raw)]:
            continue
        for index, entry in enumerate(memoryview(raw).cast("Q")):
            if entry & _HERE and (files or not entry & _OF_FILE):
                yield (at + index) * PAGE
