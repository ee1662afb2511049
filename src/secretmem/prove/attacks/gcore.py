"""Make gdb write a core file of the living victim, and search it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.reading import seen_in_dump
from secretmem.prove.tools import missing, run_tool


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Run ``gcore -a``, which also dumps what is marked DONTDUMP."""
    prefix = stage.directory / "gcore"
    with stage.victim(kind) as victim, victim.opened():
        output = run_tool(["gcore", "-a", "-o", str(prefix), str(victim.pid)])
        core = prefix.with_name(f"gcore.{victim.pid}")
        if not core.exists():
            last = output.strip().splitlines()[-1:] or ["no message"]
            raise CannotRunError(f"gcore wrote no file: {last[0]}")
        data = core.read_bytes()
        core.unlink()
    failed = output.count("Memory read failed")
    how = f"gcore -a of process {victim.pid}"
    if failed:
        how += f", {failed} sections unreadable"
    return seen_in_dump(victim, data, how)


ATTACK = Attack(
    name="gcore",
    title="gcore of the living process",
    layer=Layer.KERNEL,
    explanation=(
        "gcore writes the memory of a running process to a file, with -a "
        "also the pages that MADV_DONTDUMP excludes. The file is searched "
        "for the needle, for 8-byte pieces of it and for encodings."
    ),
    run=run,
    requires=functools.partial(missing, "gcore"),
    seconds=120.0,
)
