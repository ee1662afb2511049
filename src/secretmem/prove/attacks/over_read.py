"""Read on past the end of a neighbouring buffer, until the secret comes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux, maps, straying
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.kinds import Span


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


def inside(place: Place, fds: list[int]) -> dict[str, Any]:
    """
    Copy from the nearest readable byte below up to the end of the secret.

    The secret is open meanwhile: the guard pages have to do it alone.
    """
    with place.open() as span:
        start = _neighbour(span.page)
        size = span.address + span.size - start
        straying.copy_out(fds[0], [Span(start, size)])
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Let the victim read too far and see how far it came."""
    return straying.run(
        stage, kind, "over_read", "read on from the nearest memory below"
    )


def _neighbour(page: int) -> int:
    """
    Return the address of a page that a buffer below ``page`` may end in.

    The page before it, if that is readable; else the last page of the
    nearest readable mapping below.
    """
    below = [m for m in maps.read_maps(os.getpid()) if m.start < page]
    near = [m for m in below if "r" in m.access][-1]
    return min(near.end, page) - linux.PAGE


ATTACK = Attack(
    name="over_read",
    title="read past a neighbouring buffer",
    layer=Layer.ADDRESS_SPACE,
    explanation=(
        "A bug in other code of the process (as in Heartbleed) reads on "
        "past the end of its buffer into what lies above it. An open view "
        "lies between guard pages: the process is stopped (SIGSEGV) before "
        "the first byte of the secret is reached. libsodium guards its "
        "memory in the same way."
    ),
    run=run,
    locked=False,
)
