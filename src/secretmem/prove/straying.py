"""
Stray reads by the victim itself, shared by the attacks of that layer.

What the victim reads it copies at once into memory that it shares with the
attacker, so that nothing is lost when the next byte kills it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove import linux, maps
from secretmem.prove.attack import Cell, Outcome
from secretmem.prove.kinds import Span
from secretmem.prove.stage import VictimDiedError


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_STEP = 16
_SINK_SIZE = 64 << 10


def copy_out(fd: int, spans: list[Span]) -> None:
    """In the victim: copy ``spans`` to the sink, 16 bytes a step."""
    sink = linux.map_file(fd, _SINK_SIZE, linux.PROT_READ | linux.PROT_WRITE)
    room = range(sink, sink + _SINK_SIZE, _STEP)
    steps = (
        span.address + offset
        for span in spans
        for offset in range(0, span.size, _STEP)
    )
    for target, source in zip(room, steps, strict=False):
        linux.copy(target, source, _STEP)


def at_rest(place: Place) -> list[Span]:
    """
    In the victim: return where the content lies while nobody uses it.

    Of a Secret every page of every secretmem mapping, since only the
    allocator knows which it is.
    """
    known = place.known()
    if known is not None:
        return [known]
    secret = maps.pages(maps.secret_mappings(os.getpid()))
    return [Span(page, linux.PAGE) for page in secret]


def run(stage: Stage, kind: str, attack: str, how: str) -> Cell:
    """Run ``inside`` of an attack and look at what reached the sink."""
    sink = os.memfd_create("prove-sink")
    os.ftruncate(sink, _SINK_SIZE)
    try:
        with stage.victim(kind) as victim:
            end = _let_stray(victim, attack, sink)
            data = os.pread(sink, _SINK_SIZE, 0)
            return found_in(victim, data, how) or _without(kind, how, end)
    finally:
        os.close(sink)


def found_in(victim: VictimHandle, data: bytes, how: str) -> Cell | None:
    """Return a leak if ``data`` holds the needle."""
    found = victim.needle.find(data)
    if found is None:
        return None
    return Cell(victim.kind, Outcome.LEAKED, f"{how}: {found}")


def _let_stray(victim: VictimHandle, attack: str, sink: int) -> str:
    """Return the signal that ended the victim, "" if it lives."""
    try:
        victim.call(attack, sink)
    except VictimDiedError:
        return str(victim.ending().get("signal", "exit"))
    return ""


def _without(kind: str, how: str, end: str) -> Cell:
    """Report a stray read that did not reach the needle."""
    if end:
        text = f"{how}: the process was stopped by {end} before the needle"
        return Cell(kind, Outcome.REFUSED, text, end)
    return Cell(kind, Outcome.ABSENT, f"{how}: read, the needle not there")
