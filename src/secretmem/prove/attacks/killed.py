"""Kill the victim, and look at its page frames afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove import physical
from secretmem.prove.attack import Attack, Cell, Layer, Outcome


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


_COPIES = 16384  # 512 KiB: some frames are reused at once by others
_ROUNDS = 5  # on a busy machine all of them are, now and then


def run(stage: Stage, kind: str) -> Cell:
    """Kill one victim after the other until a frame shows the needle."""
    cell = _once(stage, kind)
    for _ in range(1, _ROUNDS):
        if cell.outcome is Outcome.LEAKED:
            break
        cell = _once(stage, kind)
    return cell


def _once(stage: Stage, kind: str) -> Cell:
    """Note the frames, send SIGKILL, read the frames."""
    memory = physical.open_memory()
    try:
        with stage.victim(kind, lambda text: text * _COPIES) as victim:
            frames = physical.frames(victim.pid, victim.pages())
            victim.kill()
            victim.ending()
            held, unreadable = _look(memory, frames, victim)
    finally:
        memory.close()
    text = (
        f"{len(frames)} page frames of process {victim.pid} read after "
        f"SIGKILL by {memory.name}: {held} still hold the needle"
    )
    if unreadable:
        text += f", {unreadable} cannot be read"
    outcome = Outcome.LEAKED if held else Outcome.ABSENT
    return Cell(kind, outcome, text)


def _look(
    memory: physical.Memory, frames: list[int], victim: VictimHandle
) -> tuple[int, int]:
    """Return how many frames hold the needle, and how many fail."""
    held = unreadable = 0
    for frame in frames:
        try:
            data = memory.read(frame)
        except OSError:
            unreadable += 1
            continue
        held += victim.needle.find(data) is not None
    return held, unreadable


ATTACK = Attack(
    name="killed",
    title="memory of a killed process",
    layer=Layer.KERNEL,
    explanation=(
        "A process that is killed wipes nothing. Its pages go back to the "
        "kernel as they are and wait, readable through the direct map, until "
        "somebody needs them. The kernel clears secretmem pages before it "
        "puts them back."
    ),
    run=run,
    requires=physical.why_not,
)
