"""What this process holds of secret memory, as the kernel sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


NAME = "/secretmem (deleted)"


class Mapped(NamedTuple):
    """One mapping: addresses, protection and name as /proc/PID/maps has it."""

    start: int
    end: int
    protection: str
    name: str

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.end - self.start


def maps() -> list[Mapped]:
    """List every mapping of the process."""
    found = []
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        place, protection, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in place.split("-"))
        found.append(Mapped(start, end, protection, "".join(name)))
    return found


def secret() -> list[Mapped]:
    """List the mappings of secret memory."""
    return [mapped for mapped in maps() if mapped.name == NAME]


def secret_bytes() -> int:
    """Count the bytes of secret memory that are mapped."""
    return sum(mapped.size for mapped in secret())


def descriptors() -> dict[int, str]:
    """Map each open descriptor to what it is open on."""
    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are numbers
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115 - what it is open on is no path
        except FileNotFoundError:
            continue  # the listing's own
    return found


def locked() -> int:
    """Return the locked bytes that the kernel counts for the process."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmLck:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmLck in /proc/self/status")
