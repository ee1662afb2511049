"""Read page frames that the kernel's own image still maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove import physical
from secretmem.prove.attack import (
    Attack,
    CannotRunError,
    Cell,
    Layer,
    Outcome,
    Promise,
)


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


_COPIES = 16384  # 512 KiB: some of many pages come from such memory


def run(stage: Stage, kind: str) -> Cell:
    """Read those of the victim's frames that the image mapping has."""
    memory = physical.KernelCore(image=True)
    try:
        with stage.victim(kind, lambda text: text * _COPIES) as victim:
            return _read(victim, memory)
    finally:
        memory.close()


def _read(victim: VictimHandle, memory: physical.KernelCore) -> Cell:
    """Count the frames that are mapped there and hold the needle."""
    frames = physical.frames(victim.pid, victim.pages())
    mapped = [frame for frame in frames if memory.has(frame)]
    if not mapped:
        raise CannotRunError(
            f"none of {len(frames)} page frames lies in memory that the "
            "kernel used at boot only (likely soon after boot)"
        )
    held = sum(
        victim.needle.find(memory.read(frame)) is not None for frame in mapped
    )
    text = (
        f"{len(frames)} page frames of process {victim.pid}, {len(mapped)} "
        f"in the mapping of the kernel image, {held} hold the needle there"
    )
    outcome = Outcome.LEAKED if held else Outcome.ABSENT
    return Cell(victim.kind, outcome, text)


def requires() -> str | None:
    """Return why that mapping cannot be read."""
    reason = physical.why_not()
    if reason is not None:
        return reason
    try:
        physical.KernelCore(image=True).close()
    except OSError:
        return "there is no /proc/kcore"
    return None


ATTACK = Attack(
    name="kernel_image",
    title="page frame in the kernel image",
    layer=Layer.LIMIT,
    explanation=(
        "Memory that the kernel needs at boot only is freed and handed out "
        "like any other, but on machines without page table isolation it "
        "stays mapped where the kernel image lies. memfd_secret removes a "
        "page from the direct map only. So a page that comes from there can "
        "still be read by a kernel bug, or by root through /proc/kcore."
    ),
    run=run,
    requires=requires,
    promise=Promise.READABLE,
    standard=False,
)
