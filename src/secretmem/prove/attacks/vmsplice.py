"""Let the victim put its secret's page into a pipe, vmsplice(2)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Layer
from secretmem.prove.reading import by_pipe


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


def inside(
    _place: Place, fds: list[int], *, address: int, size: int
) -> dict[str, Any]:
    """Splice the bytes of the secret, by reference."""
    return {"result": linux.splice_from(fds[0], address, size)}


run = functools.partial(
    by_pipe,
    attack="vmsplice",
    how="vmsplice(2) of the secret into a pipe",
)


ATTACK = Attack(
    name="vmsplice",
    title="vmsplice into a pipe",
    layer=Layer.KERNEL,
    explanation=(
        "vmsplice hands the page itself to a pipe instead of a copy. The "
        "kernel would have to pin the page, and refuses."
    ),
    run=run,
)
