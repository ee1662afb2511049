"""Open the victim's files in memory through /proc/PID/fd."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove import sharing
from secretmem.prove.attack import Attack, Cell, Layer


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


inside = sharing.share


def run(stage: Stage, kind: str) -> Cell:
    """Open every descriptor again and map it."""
    with stage.victim(kind) as victim:
        if not sharing.fill(victim, "proc_fd", keep=True)["file"]:
            return sharing.no_file(kind)

        def take(number: int) -> int:
            path = f"/proc/{victim.pid}/fd/{number}"
            return os.open(path, os.O_RDONLY | os.O_NONBLOCK)

        return sharing.steal(victim, "open of /proc/PID/fd/N", take)


ATTACK = Attack(
    name="proc_fd",
    title="open /proc/PID/fd",
    layer=Layer.DESCRIPTOR,
    explanation=(
        "Every open file of a process can be opened again through "
        "/proc/PID/fd. Here the victim keeps the descriptor of its memory "
        "file open, as a SecretArea with keep_fd=True does. The kernel "
        "gives a secretmem file no open operation: ENXIO. Memory without a "
        "file, such as sodium_malloc's, cannot be attacked this way."
    ),
    run=run,
    locked=False,
)
