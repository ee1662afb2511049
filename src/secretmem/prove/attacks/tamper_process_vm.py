"""Overwrite the victim's memory with process_vm_writev(2)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import change_each


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Write eight bytes to every place."""
    with stage.victim(kind) as victim:
        write = functools.partial(linux.write_process, victim.pid)
        return change_each(victim, "process_vm_writev", write)


ATTACK = Attack(
    name="tamper_process_vm",
    title="process_vm_writev",
    layer=Layer.KERNEL,
    explanation="The writing twin of process_vm_readv.",
    run=run,
)
