"""Overwrite the victim's memory with PTRACE_POKEDATA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import change_each
from secretmem.prove.tracer import Tracer


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Write eight bytes to every place, the victim stopped."""
    with stage.victim(kind) as victim:

        def write(address: int, data: bytes) -> int:
            with Tracer(victim.pid) as tracer:
                return tracer.poke(address, data)

        return change_each(victim, "PTRACE_POKEDATA", write)


ATTACK = Attack(
    name="tamper_ptrace",
    title="ptrace: poke into memory",
    layer=Layer.KERNEL,
    explanation="A debugger's `set variable`, word by word.",
    run=run,
)
