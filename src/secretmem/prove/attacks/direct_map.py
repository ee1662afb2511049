"""Read the secret's page frames through the kernel's direct map."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from secretmem.prove import linux, physical
from secretmem.prove.attack import Attack, Cell, Layer, Outcome
from secretmem.prove.reading import without_find


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


def run(stage: Stage, kind: str) -> Cell:
    """Find the frames of every place and read them."""
    memory = physical.open_memory()
    try:
        with stage.victim(kind) as victim, victim.opened():
            return _read(victim, memory)
    finally:
        memory.close()


def _read(victim: VictimHandle, memory: physical.Memory) -> Cell:
    """Read the frames until the needle turns up."""
    pages = [span.page for span in victim.targets()]
    frames = physical.frames(victim.pid, pages)
    errors: collections.Counter[str] = collections.Counter()
    got = 0
    for frame in frames:
        try:
            data = memory.read(frame)
        except OSError as error:
            errors[linux.error_name(error.errno)] += 1
            continue
        got += len(data)
        found = victim.needle.find(data)
        if found is not None:
            text = f"page frame {frame:#x} read by {memory.name}: {found}"
            return Cell(victim.kind, Outcome.LEAKED, text)
    how = f"{memory.name}, page frames known"
    return without_find(victim.kind, how, len(frames), got, errors)


ATTACK = Attack(
    name="direct_map",
    title="page frame read from the kernel",
    layer=Layer.KERNEL,
    explanation=(
        "The kernel maps all memory of the machine into its own address "
        "space, the direct map; a kernel bug that reads there reads every "
        "process. Pages of secretmem are taken out of it. The frame numbers "
        "are known (pagemap shows them to root); /proc/kcore or a BPF "
        "program reads them. Each page of the victim is read."
    ),
    run=run,
    requires=physical.why_not,
)
