"""Reading of /proc, below a root so that recorded trees can be read too."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from secretmem._limits import FILE_NAME, comm


if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Mapping:
    """
    One mapping of a secretmem file.

    ``span`` is its address range as the kernel writes it, ``size`` its
    length, ``resident`` the part in RAM and ``share`` that part divided by
    the number of mappings of each page; bytes, the last two None where
    smaps is not readable.  ``file`` is (device, inode).
    """

    span: str
    size: int
    file: tuple[str, int]
    resident: int | None = None
    share: int | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """
    One open secretmem descriptor.

    ``file`` and ``size`` (bytes) are None where it cannot be examined.
    """

    number: int
    file: tuple[str, int] | None = None
    size: int | None = None
    since: float | None = None


class Proc:
    """The /proc of a machine, found below ``root``."""

    def __init__(self, root: str = "/") -> None:
        """Read from ``root``; "/" is the running machine."""
        self._root = Path(root)

    def pids(self) -> list[int]:
        """
        Return the ids of all processes.

        Raises OSError without a /proc, also where it is an empty directory:
        the reader itself would have to be in it.
        """
        place = self._root / "proc"
        names = [entry.name for entry in place.iterdir()]
        found = sorted(int(name) for name in names if name.isdigit())
        if not found:
            raise FileNotFoundError(
                errno.ENOENT, "no process is listed", os.fspath(place)
            )
        return found

    def read(self, path: str) -> str | None:
        """Return the text of ``path`` below the root, None if unreadable."""
        try:
            return (self._root / path).read_text(errors="replace")
        except OSError:
            return None

    def comm(self, pid: int) -> str:
        """Return the command name of ``pid``."""
        return comm(os.fspath(self._root / f"proc/{pid}"))

    def uid(self, pid: int) -> int | None:
        """Return the real uid of ``pid``; None when it ended."""
        for line in (self.read(f"proc/{pid}/status") or "").splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[1])
        return None

    def started(self, pid: int) -> float | None:
        """Return when ``pid`` started, in seconds of the epoch."""
        text = self.read(f"proc/{pid}/stat")
        boot = self._boot_time()
        if text is None or boot is None:
            return None
        # The command name may contain spaces and brackets; what follows its
        # last bracket begins with field 3, and the start time is field 22.
        ticks = int(text.rpartition(")")[2].split()[19])
        return boot + ticks / os.sysconf("SC_CLK_TCK")

    def mappings(self, pid: int) -> list[Mapping]:
        """
        Return the secretmem mappings of ``pid``.

        Raises PermissionError when they cannot be read and other OSErrors
        when the process is gone.
        """
        path = self._root / f"proc/{pid}/maps"
        text = path.read_text(errors="replace")
        if FILE_NAME not in text:
            return []
        # smaps walks the page tables, so it is read of holders only.
        details = self.read(f"proc/{pid}/smaps")
        return list(_mappings(text if details is None else details))

    def descriptors(self, pid: int) -> list[Descriptor] | None:
        """Return the open secretmem descriptors, None if unreadable."""
        place = self._root / f"proc/{pid}/fd"
        try:
            names = [entry.name for entry in place.iterdir()]
        except OSError:
            return None
        found = (_descriptor(place / name) for name in names)
        return sorted(
            (each for each in found if each is not None),
            key=lambda each: each.number,
        )

    def mapped_since(self, pid: int, mapping: Mapping) -> float | None:
        """
        Return when the file of ``mapping`` was made; None when not shown.

        Needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (proc(5), map_files).
        """
        path = self._root / f"proc/{pid}/map_files/{mapping.span}"
        try:
            return _born(path.stat())
        except OSError:
            return None

    def _boot_time(self) -> float | None:
        """Return when the machine started, in seconds of the epoch."""
        for line in (self.read("proc/stat") or "").splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
        return None


def _mappings(text: str) -> Iterator[Mapping]:
    """Yield the secretmem mappings of a maps or an smaps file."""
    head: list[str] = []
    values: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split(maxsplit=5)
        if not words or words[0].endswith(":"):
            if head and words[0] in {"Rss:", "Pss:"}:
                values[words[0]] = int(words[1]) * 1024
            continue
        if head:
            yield _mapping(head, values)
        head = words if _is_secret(words) else []
        values = {}
    if head:
        yield _mapping(head, values)


def _is_secret(words: list[str]) -> bool:
    """
    Tell a secretmem mapping from one of a file that was called so.

    A secretmem mapping is always shared and lies on a file system without
    a device.
    """
    return (
        words[-1] == FILE_NAME
        and words[1].endswith("s")
        and words[3].startswith("00:")
    )


def _mapping(head: list[str], values: dict[str, int]) -> Mapping:
    """Build one mapping from its first line and its values."""
    first, last = head[0].split("-")
    return Mapping(
        span=head[0],
        size=int(last, 16) - int(first, 16),
        file=(head[3], int(head[4])),
        resident=values.get("Rss:"),
        share=values.get("Pss:"),
    )


def _descriptor(path: Path) -> Descriptor | None:
    """Return the secretmem descriptor behind a link in /proc/PID/fd."""
    try:
        if os.fspath(path.readlink()) != FILE_NAME:
            return None
    except OSError:
        return None
    number = int(path.name)
    try:
        found = path.stat()
    except OSError:
        return Descriptor(number)
    # A deleted file that only had this name has no link left; a secretmem
    # file has one.
    if found.st_nlink == 0:
        return None
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}"
    file = (device, found.st_ino)
    return Descriptor(number, file, found.st_size, _born(found))


def _born(found: os.stat_result) -> float:
    """Return when a secretmem file was made: its oldest time stamp."""
    return min(found.st_atime, found.st_mtime, found.st_ctime)
