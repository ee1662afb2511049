"""Give a system call a pointer to the secret's page, while it is closed."""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux, straying
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import without_find


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


def inside(place: Place, fds: list[int]) -> dict[str, Any]:
    """Pass every page where the content may lie at rest to write(2)."""
    errors: collections.Counter[str] = collections.Counter()
    spans = straying.at_rest(place)
    written = 0
    for span in spans:
        try:
            written += linux.write_from(fds[0], *span)
        except OSError as error:
            errors[linux.error_name(error.errno)] += 1
    return {"tried": len(spans), "written": written, "errors": dict(errors)}


def run(stage: Stage, kind: str) -> Cell:
    """Look for the needle in what the system call wrote."""
    sink = os.memfd_create("prove-sink")
    how = "write(2) from the secret's page"
    try:
        with stage.victim(kind) as victim:
            reply = victim.call("wild_syscall", sink)
            data = os.pread(sink, reply["written"], 0)
            cell = straying.found_in(victim, data, how)
            errors = collections.Counter[str](reply["errors"])
            return cell or without_find(
                kind, how, reply["tried"], len(data), errors
            )
    finally:
        os.close(sink)


ATTACK = Attack(
    name="wild_syscall",
    title="system call with a wild pointer",
    layer=Layer.ADDRESS_SPACE,
    explanation=(
        "The same stray pointer, handed to write(2): the classic way in "
        "which a wrong length sends memory over the network. While the "
        "arena is closed the kernel answers EFAULT. What it can read in "
        "secretmem mappings at rest are empty windows and stacks."
    ),
    run=run,
)
