"""What secret memory does to the machine: hibernation, direct map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from secretmem.ps.proc import Proc


_SIZES = ("4k", "2M", "4M", "1G")


@dataclass(frozen=True, slots=True)
class Hibernation:
    """
    Whether the kernel can hibernate, and whether it would do so now.

    Both are None when /sys/power is not readable.  The kernel refuses while
    one secretmem file is open anywhere (mm/secretmem.c, secretmem_active),
    but also under lockdown and with ``nohibernate``.
    """

    supported: bool | None
    allowed: bool | None


@dataclass(frozen=True, slots=True)
class DirectMap:
    """
    How the kernel maps all of RAM, x86 only.

    ``sizes`` gives the bytes mapped by pages of each size ("4k", "2M",
    "1G").  ``splits`` and ``collapses`` count, since boot, large entries
    that were broken up and those that were joined again, by their size.
    """

    sizes: dict[str, int]
    splits: dict[str, int]
    collapses: dict[str, int]


def hibernation(proc: Proc) -> Hibernation:
    """Read the state of hibernation."""
    state = proc.read("sys/power/state")
    if state is None:
        return Hibernation(None, None)
    disk = proc.read("sys/power/disk")
    return Hibernation(disk is not None, "disk" in state.split())


def direct_map(proc: Proc) -> DirectMap | None:
    """Read the direct map's page sizes, None where they are not shown."""
    sizes = {
        key.removeprefix("DirectMap"): value * 1024
        for key, value in _fields(proc.read("proc/meminfo")).items()
        if key.startswith("DirectMap")
    }
    counters = _fields(proc.read("proc/vmstat"))
    if not sizes:
        return None
    return DirectMap(
        sizes={size: sizes[size] for size in _SIZES if size in sizes},
        splits=_levels(counters, "splits"),
        collapses=_levels(counters, "collapses"),
    )


def _levels(counters: dict[str, int], event: str) -> dict[str, int]:
    """Return the counters of ``event`` by the size of the entry."""
    names = {"2M": "level2", "1G": "level3"}
    return {
        size: counters[key]
        for size, level in names.items()
        if (key := f"direct_map_{level}_{event}") in counters
    }


def _fields(text: str | None) -> dict[str, int]:
    """Return ``Name: number`` or ``name number`` lines by name."""
    found = {}
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1])
    return found
