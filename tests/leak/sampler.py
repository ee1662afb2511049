"""
Samples: stop a program in the middle of an operation and look.

A target repeats an operation; this stops it at random moments, keeps those
in which the stack pointer is on another stack than the thread's own (inside
the domain), and scans all written memory. Registers hold pieces of the
secret then, by nature: they are counted, not judged.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leak.memory import Memory, mappings
from leak.tracer import register_hits, stopped


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leak.memory import Hit
    from leak.needle import Needle


_PATIENCE = 600.0
"""
Seconds until it gives up.

Some operations are inside for one part in 25 of their time. Whoever asked
compares `Samples.inside` with what was wanted.
"""
_TURN = 1.0
"""Seconds to wait for the target to have a turn."""


@dataclass
class Samples:
    """What was seen."""

    stops: int = 0
    inside: int = 0
    """All stops, and those inside the domain, whose memory was scanned."""
    in_registers: int = 0
    """Stops inside the domain with a piece of the needle in a register."""
    scanned: int = 0
    with_hits: int = 0
    """Stops whose memory was scanned, and those of them with a hit."""
    hits: set[Hit] = field(default_factory=set)
    searched: int = 0
    """Bytes."""


def _let_it_run(pid: int) -> None:
    """
    Wait for a moment at which the target has gone on.

    On a busy machine it has no turn for a while, and would be met where the
    last stop left it.
    """
    before = _processor_time(pid)
    end = time.monotonic() + _TURN
    time.sleep(random.uniform(0, 0.001))  # noqa: S311 - moments
    while _processor_time(pid) == before is not None:
        if time.monotonic() > end:
            return
        time.sleep(0.0002)


def _processor_time(pid: int) -> int | None:
    """Give the nanoseconds that its main thread ran; None if none counts."""
    try:
        text = Path(f"/proc/{pid}/schedstat").read_text("ascii")
    except FileNotFoundError:
        return None
    return int(text.split()[0])


def take(
    pid: int,
    needles: Sequence[Needle],
    wanted: int,
    *,
    everywhere: bool = False,
) -> Samples:
    """
    Stop a process until ``wanted`` stops were inside the domain.

    One stop in forty outside of it is scanned too; all of them where there
    is no domain (``everywhere``), and then they are what is wanted.
    """
    samples = Samples()
    memory = Memory(pid)
    stack = next(m for m in mappings(pid) if m.name == "[stack]")
    try:
        end = time.monotonic() + _PATIENCE
        while samples.inside < wanted and time.monotonic() < end:
            _let_it_run(pid)
            with stopped(pid) as threads:
                pointer = threads[0].stack_pointer()
                inside = everywhere or not stack.start <= pointer < stack.stop
                samples.stops += 1
                samples.inside += inside
                if inside or samples.stops % 40 == 0:
                    scan = memory.scan(needles, whole=False)
                    samples.scanned += 1
                    samples.with_hits += bool(scan.hits)
                    samples.hits |= scan.hits
                    samples.searched += scan.searched
                if inside and register_hits(threads[0], needles):
                    samples.in_registers += 1
    finally:
        memory.close()
    return samples
