"""Push the victim's pages out to swap, and read the swap space."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer, Outcome
from secretmem.prove.reading import refused, seen
from secretmem.prove.stage import VictimError


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_SWAPPED = 1 << 62
_SECONDS = 20.0


class _Slot(NamedTuple):
    """Where a page lies: the number of the swap space, and the page in it."""

    space: int
    page: int


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Ask the kernel to page the secret out, MADV_PAGEOUT of madvise(2)."""
    with place.open() as span:
        linux.advise(span.page, linux.PAGE, linux.MADV_PAGEOUT)
        return {"page": span.page}


def run(stage: Stage, kind: str) -> Cell:
    """Let the victim page its secret out and read the slot."""
    how = "MADV_PAGEOUT"
    with stage.victim(kind) as victim:
        try:
            page = int(victim.call("swap")["page"])
        except VictimError as error:
            if error.errno is None:
                raise
            return refused(kind, how, OSError(int(error.errno), how))
        slot = _slot(victim.pid, page)
        if slot is None:
            text = f"{how}: the page of process {victim.pid} stays in RAM"
            return Cell(kind, Outcome.ABSENT, text)
        return _look(victim, slot)


def _look(victim: VictimHandle, slot: _Slot) -> Cell:
    """Read the slot until the page has arrived there."""
    path = _spaces()[slot.space]
    how = f"page {slot.page} of the swap space {path}"
    end = time.monotonic() + _SECONDS
    while True:
        data = _read(path, slot.page * linux.PAGE)
        cell = seen(victim.kind, victim.needle, data, how)
        if cell.outcome is Outcome.LEAKED or time.monotonic() > end:
            return cell
        time.sleep(0.05)


def _slot(pid: int, page: int) -> _Slot | None:
    """Return the swap slot of a page, None while it is in RAM."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as table:  # noqa: PTH123 - /proc is not a path to compute with
        table.seek(page // linux.PAGE * 8)
        word = int.from_bytes(table.read(8), "little")
    if not word & _SWAPPED:
        return None
    return _Slot(word & 0x1F, word >> 5 & (1 << 50) - 1)


def _read(path: Path, offset: int) -> bytes:
    """Read a page of a swap space past the page cache."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        room = linux.map_anonymous(linux.PAGE)
        os.lseek(fd, offset, os.SEEK_SET)
        linux.read_into(fd, room, linux.PAGE)
        data = linux.bytes_at(room, linux.PAGE)
        linux.unmap(room, linux.PAGE)
        return data
    finally:
        os.close(fd)


def _spaces() -> list[Path]:
    """Return the swap spaces in use, in the kernel's order."""
    lines = Path("/proc/swaps").read_text("utf-8").splitlines()[1:]
    return [Path(line.split()[0].replace("\\040", " ")) for line in lines]


def requires() -> str | None:
    """Return why swap cannot be looked at."""
    spaces = _spaces()
    if not spaces:
        return "this machine has no swap"
    if not all(os.access(path, os.R_OK) for path in spaces):
        return "reading the swap space needs root"
    switch = Path("/sys/module/zswap/parameters/enabled")
    if switch.exists() and switch.read_text("ascii").strip() == "Y":
        return "zswap holds swapped pages back in RAM, compressed"
    return None


ATTACK = Attack(
    name="swap",
    title="swap",
    layer=Layer.KERNEL,
    explanation=(
        "What is paged out stays on the disk, often for weeks. The victim "
        "asks for it itself. Locked pages are not paged out either, as long "
        "as they stay locked: a forked child of the process does not "
        "inherit the lock."
    ),
    run=run,
    requires=requires,
    locked=False,
)
