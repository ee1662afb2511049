"""Overwrite the victim's memory through /proc/PID/mem."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import change_each, open_memory


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Write eight bytes to every place with pwrite(2)."""
    with stage.victim(kind) as victim:
        memory = open_memory(victim.pid, os.O_WRONLY)

        def write(address: int, data: bytes) -> int:
            return os.pwrite(memory, data, address)

        try:
            return change_each(victim, "pwrite of /proc/PID/mem", write)
        finally:
            os.close(memory)


ATTACK = Attack(
    name="tamper_proc_mem",
    title="write /proc/PID/mem",
    layer=Layer.KERNEL,
    explanation=(
        "Instead of reading a key the attacker replaces it by one that he "
        "knows. Through /proc/PID/mem even read-only pages are overwritten."
    ),
    run=run,
)
