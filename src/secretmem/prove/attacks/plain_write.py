"""Write the open secret to a pipe with write(2): this works."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Layer, Promise
from secretmem.prove.reading import by_pipe


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


def inside(
    _place: Place, fds: list[int], *, address: int, size: int
) -> dict[str, Any]:
    """Write the bytes of the open secret."""
    return {"result": linux.write_from(fds[0], address, size)}


run = functools.partial(
    by_pipe,
    attack="plain_write",
    how="write(2) from the open secret to a pipe",
)


ATTACK = Attack(
    name="plain_write",
    title="write(2) from an open view",
    layer=Layer.LIMIT,
    explanation=(
        "Ordinary system calls copy from secret memory as from any other, "
        "on behalf of the process that owns it, and the copy then lies in "
        "kernel buffers. The manual page says that such pointers cannot be "
        "passed to system calls; they can."
    ),
    run=run,
    promise=Promise.READABLE,
)
