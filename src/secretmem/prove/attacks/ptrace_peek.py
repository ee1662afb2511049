"""Read the victim's memory word by word with PTRACE_PEEKDATA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import try_targets
from secretmem.prove.tracer import Tracer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Span
    from secretmem.prove.stage import Stage


_WORDS = 4  # as many as the needle has


def run(stage: Stage, kind: str) -> Cell:
    """Stop the victim and peek four words at each place."""
    with (
        stage.victim(kind) as victim,
        victim.opened(),
        Tracer(victim.pid) as tracer,
    ):

        def read(span: Span) -> bytes:
            words = range(span.address, span.address + _WORDS * 8, 8)
            return b"".join(tracer.peek(word) for word in words)

        return try_targets(victim, victim.targets(), "PTRACE_PEEKDATA", read)


ATTACK = Attack(
    name="ptrace_peek",
    title="ptrace: peek at memory",
    layer=Layer.KERNEL,
    explanation=(
        "What debuggers do: attach to the process, stop it and read its "
        "memory one word at a time."
    ),
    run=run,
)
