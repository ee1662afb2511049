"""The memory map of a process, and the search through all of its memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from secretmem.prove import linux


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from secretmem.prove.familiar import Familiar
    from secretmem.prove.needle import Find


# The path that the kernel prints for every secretmem mapping, and the one of
# the package's degraded mode.
_SECRET = ("/secretmem", "/memfd:secretmem-degraded")

# Pages of the kernel that no process writes; reading them fails or stalls.
_KERNEL = ("[vvar]", "[vvar_vclock]", "[vsyscall]")

_CHUNK = 8 << 20


class Mapping(NamedTuple):
    """One line of /proc/PID/maps, proc_pid_maps(5)."""

    start: int
    end: int
    access: str
    inode: int
    path: str

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return self.end - self.start

    @property
    def secret(self) -> bool:
        """Tell whether the package, or anyone, keeps secrets here."""
        return self.path.startswith(_SECRET)

    @property
    def changeable(self) -> bool:
        """Tell whether the process can have written here."""
        return "w" in self.access or self.inode == 0 or self.secret


class Scan(NamedTuple):
    """The result of a search through the memory of a process."""

    find: Find | None
    where: str
    searched: int
    refused: int
    errors: frozenset[str]

    def __str__(self) -> str:
        """Say what was searched, for evidence."""
        text = f"{self.searched >> 10} KiB searched"
        if self.refused:
            names = ", ".join(sorted(self.errors))
            text += f", {self.refused >> 10} KiB refused ({names})"
        if self.find is None:
            return f"{text}: neither the needle nor 8 bytes of it"
        return f"{text}: {self.find} of {self.where}"


def read_maps(pid: int) -> list[Mapping]:
    """Return the mappings of ``pid``, lowest first; raises OSError."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as lines:  # noqa: PTH123 - /proc is not a path to compute with
        return [_parse(line) for line in lines]


def secret_mappings(pid: int) -> list[Mapping]:
    """Return the mappings of ``pid`` that hold secrets."""
    return [mapping for mapping in read_maps(pid) if mapping.secret]


def pages(mappings: list[Mapping]) -> Iterator[int]:
    """Yield the address of every page of ``mappings``."""
    for mapping in mappings:
        yield from range(mapping.start, mapping.end, linux.PAGE)


def scan(
    pid: int,
    find: Callable[[bytes], Find | None],
    wanted: Callable[[Mapping], bool] = lambda _: True,
    familiar: Familiar | None = None,
) -> Scan:
    """
    Search the memory of ``pid`` through /proc/PID/mem with ``find``.

    Pages without access (PROT_NONE) are tried too: /proc/PID/mem reads them.
    Left out are the kernel's own pages and anonymous mappings that were
    never touched.  Pages that are ``familiar`` count as searched.  Stops at
    the first find.  Raises OSError when the process cannot be looked at at
    all.
    """
    searched = refused = 0
    errors: set[str] = set()
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for mapping in touched(pid):
            if not wanted(mapping):
                continue
            for data in chunks(memory, mapping):
                if isinstance(data, OSError):
                    refused += linux.PAGE
                    errors.add(linux.error_name(data.errno))
                    continue
                searched += len(data)
                found = find_strange(data, find, familiar)
                if found is not None:
                    where = mapping.path or "anonymous memory"
                    return Scan(
                        found, where, searched, refused, frozenset(errors)
                    )
    finally:
        os.close(memory)
    return Scan(None, "", searched, refused, frozenset(errors))


def find_strange(
    data: bytes,
    find: Callable[[bytes], Find | None],
    familiar: Familiar | None,
) -> Find | None:
    """Look with ``find`` in the pages of ``data`` that are not familiar."""
    if familiar is None:
        return find(data)
    for offset, run in familiar.strange(data):
        found = find(run)
        if found is not None:
            return found._replace(offset=found.offset + offset)
    return None


def chunks(memory: int, mapping: Mapping) -> Iterator[bytes | OSError]:
    """
    Yield the content of a mapping in pieces, an error for each bad page.

    Pieces overlap by less than a needle, so that none is cut in two.
    """
    at = mapping.start
    while at < mapping.end:
        try:
            data = os.pread(memory, min(_CHUNK, mapping.end - at), at)
        except OSError as error:
            yield error
            at += linux.PAGE
            continue
        if not data:
            return
        yield data
        at += len(data)
        if len(data) == _CHUNK:
            at -= linux.PAGE


def touched(pid: int) -> list[Mapping]:
    """Return the mappings of ``pid`` less anonymous ones without a page."""
    try:
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as lines:  # noqa: PTH123 - /proc is not a path to compute with
            return _parse_smaps(lines)
    except FileNotFoundError:  # CONFIG_PROC_PAGE_MONITOR is off
        return [m for m in read_maps(pid) if m.path not in _KERNEL]


def _parse_smaps(lines: Iterable[str]) -> list[Mapping]:
    """Return the mappings of an smaps file that hold a page or a file."""
    found: list[Mapping] = []
    pages_of: list[int] = []
    for line in lines:
        name, _, rest = line.partition(":")
        if name in {"Rss", "Swap"}:
            pages_of[-1] += int(rest.split()[0])
        elif " " in name and "-" in name.split(maxsplit=1)[0]:
            found.append(_parse(line))
            pages_of.append(0)
    return [
        mapping
        for mapping, kib in zip(found, pages_of, strict=True)
        if (kib or mapping.inode) and mapping.path not in _KERNEL
    ]


def _parse(line: str) -> Mapping:
    """Split one line of /proc/PID/maps."""
    words = line.rstrip("\n").split(maxsplit=5)
    start, _, end = words[0].partition("-")
    path = words[5] if len(words) > 5 else ""  # noqa: PLR2004 - the sixth field is optional
    return Mapping(int(start, 16), int(end, 16), words[1], int(words[4]), path)
