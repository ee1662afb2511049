"""Dump the victim's memory with gdb."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from secretmem.prove import maps
from secretmem.prove.attack import Attack, Cell, Layer, Outcome
from secretmem.prove.kinds import Span
from secretmem.prove.reading import seen
from secretmem.prove.tools import missing, run_tool


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


_GDB = (
    *("gdb", "-nx", "-nh", "-batch", "-q", "--readnever"),
    *("-iex", "set auto-solib-add off"),
    *("-iex", "set debuginfod enabled off"),
)


def run(stage: Stage, kind: str) -> Cell:
    """Attach, `dump binary memory` at every place, detach."""
    with stage.victim(kind) as victim, victim.opened():
        spans = _whole_mappings(victim)
        files = [stage.directory / f"gdb.{i}" for i in range(len(spans))]
        words = [*_GDB, "-p", str(victim.pid)]
        for span, file in zip(spans, files, strict=True):
            end = span.address + span.size
            dump = f"dump binary memory {file} {span.address:#x} {end:#x}"
            words += ["-ex", dump]
        output = run_tool(words)
    data = b"".join(f.read_bytes() for f in files if f.exists())
    for file in files:
        file.unlink(missing_ok=True)
    how = f"gdb -p {victim.pid}, dump binary memory at {len(spans)} places"
    said = output.count("Cannot access memory")
    if said and not data:
        evidence = f"{how}: 'Cannot access memory' {said} times"
        return Cell(kind, Outcome.REFUSED, evidence)
    return seen(kind, victim.needle, data, how)


def _whole_mappings(victim: VictimHandle) -> list[Span]:
    """Return the known address and the secretmem mappings."""
    known = [] if victim.span is None else [victim.span]
    secret = maps.secret_mappings(victim.pid)
    return known + [Span(mapping.start, mapping.size) for mapping in secret]


ATTACK = Attack(
    name="gdb",
    title="gdb: dump memory",
    layer=Layer.KERNEL,
    explanation=(
        "The GNU debugger attaches to the process and dumps its memory to a "
        "file. Not our code: the tool of the reader's own machine."
    ),
    run=run,
    requires=functools.partial(missing, "gdb"),
)
