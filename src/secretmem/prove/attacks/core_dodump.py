"""Search a core file after everything was marked for dumping."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux, maps
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.attacks import core_dump


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Undo MADV_DONTDUMP where the needle is, open or at rest."""
    secret = maps.secret_mappings(os.getpid())
    spans = [(mapping.start, mapping.size) for mapping in secret]
    known = place.known()
    if known is not None:
        size = known.address + known.size - known.page
        spans.append((known.page, size))
    for start, size in spans:
        linux.advise(start, size, linux.MADV_DODUMP)
    return {"marked": len(spans)}


def run(stage: Stage, kind: str) -> Cell:
    """Mark the memory with MADV_DODUMP, then let the victim abort."""
    return core_dump.dump(stage, kind, before="core_dodump")


ATTACK = Attack(
    name="core_dodump",
    title="core file after MADV_DODUMP",
    layer=Layer.KERNEL,
    explanation=(
        "Something in the process has marked all memory for dumping, as "
        "libsodium's sodium_munlock does with what it unlocks. Secretmem "
        "pages stay out of the core file all the same: the kernel cannot "
        "fetch them."
    ),
    run=run,
    requires=core_dump.requires,
    standard=False,
)
