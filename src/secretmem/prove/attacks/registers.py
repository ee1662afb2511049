"""Read the processor's registers while the secret is in use: this works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer, Outcome, Promise
from secretmem.prove.tracer import GENERAL, VECTOR, Tracer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


# Until the needle turns up, at the latest; mostly the first sample has it.
_SECONDS = 20.0
_ROUNDS = 50


def inside(place: Place, _fds: list[int], seconds: float) -> dict[str, Any]:
    """Copy the open secret to memory of the same kind, again and again."""
    end = time.monotonic() + seconds
    rounds = 0
    with place.open() as span:
        target = place.scratch(span.size)
        while time.monotonic() < end:
            for _ in range(_ROUNDS):
                linux.copy(target.address, *span)
            rounds += _ROUNDS
    return {"rounds": rounds}


def run(stage: Stage, kind: str) -> Cell:
    """Stop the victim at random moments and search its registers."""
    with stage.victim(kind) as victim:
        arguments = {"seconds": _SECONDS}
        victim.tell("call", attack="registers", arguments=arguments)
        try:
            with Tracer(victim.pid) as tracer:
                return _sample(tracer, victim)
        finally:
            # It would go on copying until the seconds are over.
            victim.kill()


def _sample(tracer: Tracer, victim: VictimHandle) -> Cell:
    """Take samples until the needle turns up or the time is over."""
    end = time.monotonic() + _SECONDS
    samples = 0
    while time.monotonic() < end:
        samples += 1
        for name, which in (("general", GENERAL), ("vector", VECTOR)):
            found = victim.needle.find(tracer.registers(which))
            if found is not None:
                text = (
                    f"PTRACE_GETREGSET during a copy, sample "
                    f"{samples}, {name} registers: {found}"
                )
                return Cell(victim.kind, Outcome.LEAKED, text)
        tracer.go_on()
        time.sleep(0.0005)
        tracer.interrupt()
    text = f"{samples} samples of the registers, not the needle"
    return Cell(victim.kind, Outcome.ABSENT, text)


ATTACK = Attack(
    name="registers",
    title="registers while in use",
    layer=Layer.LIMIT,
    explanation=(
        "To compute with a secret the processor has to load it. Whoever may "
        "trace the process can stop it in the middle of an operation and "
        "read the registers; a core file has them too. Here the program "
        "copies an open view to other secret memory with the C library's "
        "memmove, which moves whole words and leaves them in the vector "
        "registers. The operations of a Secret clear the registers when "
        "they end; while one runs, they hold what it works on."
    ),
    run=run,
    promise=Promise.READABLE,
)
