"""
The scanner: every byte of a process that the kernel gives to root.

It reads ``/proc/PID/mem`` from outside, which ignores page protections: a
mapping with PROT_NONE is read too. A private page that was never written
still holds its file and is left out in a quick scan; a whole scan reads it.
Pages that the kernel refuses are reported by the name of their mapping, so
that a test can insist that nothing but secret memory was refused.

The product has an auditor of its own (`secretmem.audit`), which looks for
more forms. The tests of residues do not use it: it shares its code, its
memory and its mistakes with what is tested here. This scanner knows nothing
of it; ``tests/audit`` compares the two.

Searching is glibc's memmem(3): about 2 GB/s for short needles, two to ten
times what ``bytes.find`` does. A whole scan of a small Python process takes
some 50 ms, a quick one half of that.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from leak.finder import finder
from leak.needle import WINDOW


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from leak.needle import Needle, Shape

    _Search = Callable[[bytearray, int], Iterator[tuple[str, range]]]


PAGE = mmap.PAGESIZE

SECRET_NAME = "/secretmem (deleted)"
"""What /proc/PID/maps calls secret memory."""

# Pages of the kernel's own, the same for all processes or not memory at all.
_SPECIAL = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")

_ROOM = 4 << 20

# From so many shapes on, looking for all at once is quicker.
_FEW = 6
_OVERLAP = 4096

# Documentation/admin-guide/mm/pagemap.rst
_PRESENT = 1 << 63
_SWAPPED = 1 << 62
_OF_FILE = 1 << 61

_libc = ctypes.CDLL(None)
_libc.memmem.restype = ctypes.c_void_p
_libc.memmem.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_char_p,
    ctypes.c_size_t,
)


class Mapping(NamedTuple):
    """A line of /proc/PID/maps."""

    start: int
    stop: int
    rights: str
    name: str

    @property
    def private(self) -> bool:
        """Whether writes stay in the process."""
        return self.rights.endswith("p")

    @property
    def secret(self) -> bool:
        """Whether it is a mapping of memfd_secret(2)."""
        return self.name == SECRET_NAME


class Hit(NamedTuple):
    """A piece of a needle in readable memory."""

    form: str
    address: int
    size: int
    where: str

    def __str__(self) -> str:
        place = f"{self.address:#x} {self.where}"
        return f"{self.size} bytes ({self.form}) at {place}"


@dataclass
class Scan:
    """What one scan saw."""

    hits: set[Hit] = field(default_factory=set)
    searched: int = 0
    """Bytes that were looked at."""
    refused: dict[str, int] = field(default_factory=dict)
    """Bytes that the kernel refused, by mapping name."""

    def addresses(self) -> set[int]:
        """Where the hits start."""
        return {hit.address for hit in self.hits}

    def since(self, before: Scan) -> set[Hit]:
        """Hits that overlap none of an earlier scan."""
        old = [(hit.address, hit.address + hit.size) for hit in before.hits]
        return {
            hit
            for hit in self.hits
            if not any(
                start < hit.address + hit.size and hit.address < stop
                for start, stop in old
            )
        }


def mappings(pid: int) -> list[Mapping]:
    """Read /proc/PID/maps."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
        span, rights, offset, _, inode, *name = line.split(maxsplit=5)
        start, stop = (int(each, 16) for each in span.split("-"))
        words = name[0] if name else "anonymous"
        size = _size_of_file(words, int(inode))
        if size is not None:
            # A database may map ten gigabytes of a small file.
            pages = -(-max(size - int(offset, 16), 0) // PAGE)
            stop = min(stop, start + pages * PAGE)
        found.append(Mapping(start, stop, rights, words))
    return found


def _size_of_file(name: str, inode: int) -> int | None:
    """Give the size of a mapped file; there is nothing behind its end."""
    if not name.startswith("/"):
        return None
    try:
        now = Path(name).stat()
    except OSError:
        return None
    known = now.st_ino == inode and stat.S_ISREG(now.st_mode)
    return now.st_size if known else None


def find_all(buffer: bytearray, size: int, shape: Shape) -> Iterator[range]:
    """Give each stretch of ``buffer[:size]`` that belongs to a shape."""
    base = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    view = memoryview(buffer)[:size]
    for place, chunk in shape.chunks:
        at = 0
        while size - at >= len(chunk):
            hit = _libc.memmem(base + at, size - at, chunk, len(chunk))
            if hit is None:
                break
            found = shape.extend(view, hit - base, place)
            yield found
            at = max(hit - base + 1, found.stop - len(chunk))


def searched(needles: Sequence[Needle]) -> _Search:
    """
    Make the search for needles.

    It gives each stretch of the first bytes of a buffer that belongs to a
    shape, and the shape's name.
    """
    shapes = tuple(shape for each in needles for shape in each.shapes)
    if len(shapes) > _FEW:
        return finder(shapes).find

    def search(buffer: bytearray, size: int) -> Iterator[tuple[str, range]]:
        for shape in shapes:
            for found in find_all(buffer, size, shape):
                yield shape.name, found

    return search


def merged(hits: set[Hit]) -> set[Hit]:
    """Leave out hits that lie within another one of the same form."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.form, h.address, -h.size)):
        last = kept[-1] if kept else None
        if (
            last is None
            or last.form != hit.form
            or hit.address + hit.size > last.address + last.size
        ):
            kept.append(hit)
    return set(kept)


class Memory:
    """The memory of a process, opened for scans."""

    def __init__(self, pid: int) -> None:
        """Open it; OSError if this process may not."""
        self.pid = pid
        flags = os.O_RDONLY | os.O_CLOEXEC
        self._mem = os.open(f"/proc/{pid}/mem", flags)
        self._pagemap = os.open(f"/proc/{pid}/pagemap", flags)
        self._buffer = bytearray(_ROOM)

    def close(self) -> None:
        """Close it."""
        os.close(self._mem)
        os.close(self._pagemap)

    def read(self, address: int, size: int) -> bytes:
        """Read some bytes; OSError if the kernel refuses."""
        return os.pread(self._mem, size, address)

    def scan(self, needles: Sequence[Needle], *, whole: bool = True) -> Scan:
        """
        Look for needles in all mappings.

        Args:
            needles: What to look for.
            whole: Also pages that still hold their file.
        """
        scan = Scan()
        search = searched(needles)
        for mapping in mappings(self.pid):
            if mapping.name in _SPECIAL:
                continue
            for start, stop in self._runs(mapping, whole=whole):
                self._scan_run(scan, mapping, start, stop, search)
        scan.hits = merged(scan.hits)
        return scan

    def _runs(
        self, mapping: Mapping, *, whole: bool
    ) -> Iterator[tuple[int, int]]:
        """Give the runs of pages of a mapping that hold something."""
        anonymous = not mapping.name.startswith("/")
        if not mapping.private or (whole and not anonymous):
            yield mapping.start, mapping.stop
            return
        count = (mapping.stop - mapping.start) // PAGE
        raw = os.pread(self._pagemap, 8 * count, mapping.start // PAGE * 8)
        if not raw.strip(b"\0"):
            return
        start = None
        for index, entry in enumerate(memoryview(raw).cast("Q")):
            here = entry & (_PRESENT | _SWAPPED)
            if here and (anonymous or not entry & _OF_FILE):
                start = index if start is None else start
            elif start is not None:
                yield self._run(mapping, start, index)
                start = None
        if start is not None:
            yield self._run(mapping, start, count)

    @staticmethod
    def _run(mapping: Mapping, first: int, end: int) -> tuple[int, int]:
        return mapping.start + first * PAGE, mapping.start + end * PAGE

    def _scan_run(
        self,
        scan: Scan,
        mapping: Mapping,
        start: int,
        stop: int,
        search: _Search,
    ) -> None:
        at = start
        while at < stop:
            size = self._fill(at, min(stop - at, _ROOM))
            if size == 0:
                name = mapping.name
                scan.refused[name] = scan.refused.get(name, 0) + PAGE
                at += PAGE
                continue
            for name, found in search(self._buffer, size):
                if len(found) >= WINDOW:
                    address = at + found.start
                    hit = Hit(name, address, len(found), mapping.name)
                    scan.hits.add(hit)
            scan.searched += size
            at += size
            if at < stop and size > _OVERLAP:
                # A needle may lie across the border of two reads.
                at -= _OVERLAP
                scan.searched -= _OVERLAP

    def _fill(self, address: int, size: int) -> int:
        """Read into the buffer; gives the number of bytes, 0 if refused."""
        try:
            view = memoryview(self._buffer)[:size]
            return os.preadv(self._mem, [view], address)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EFAULT):
                raise
            return 0


def scan_file(
    path: Path, needles: Sequence[Needle]
) -> set[tuple[str, int, int]]:
    """Look for needles in a file; gives (form, place, size)."""
    data = bytearray(path.read_bytes())
    return {
        (name, found.start, len(found))
        for name, found in searched(needles)(data, len(data))
        if len(found) >= WINDOW
    }
