"""Search every mapping of the victim for the needle and pieces of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, Cell, Layer, Outcome


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Search the memory of a victim at rest."""
    with stage.victim(kind) as victim:
        result = victim.search_memory(everywhere=True)
        outcome = Outcome.LEAKED if result.find else Outcome.ABSENT
        return Cell(kind, outcome, f"process {victim.pid}: {result}")


ATTACK = Attack(
    name="full_scan",
    title="search all memory of the process",
    layer=Layer.KERNEL,
    explanation=(
        "The attacker knows no address: it reads every mapping of the "
        "process (heap, stacks, libraries, pages without access) through "
        "/proc/PID/mem and searches for the needle and for any 8 bytes of "
        "it. This finds copies that were left behind anywhere."
    ),
    run=run,
)
