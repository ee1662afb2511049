"""Let the victim register its secret as an io_uring buffer."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Layer
from secretmem.prove.kinds import Span
from secretmem.prove.reading import by_pipe
from secretmem.prove.ring import Ring


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


def inside(
    _place: Place, fds: list[int], *, address: int, size: int
) -> dict[str, Any]:
    """Register the secret's page and write it to a pipe from there."""
    ring = Ring()
    try:
        ring.register_buffer(Span(address, size).page, linux.PAGE)
        result = ring.write_fixed(fds[0], address, size)
    finally:
        ring.close()
    if result < 0:
        raise OSError(-result, f"write: {linux.error_name(-result)}")
    return {"result": result}


run = functools.partial(
    by_pipe,
    attack="io_uring",
    how="io_uring: register the secret's page, write from it",
)


def requires() -> str | None:
    """Return why io_uring cannot be used."""
    try:
        Ring().close()
    except OSError as error:
        switch = Path("/proc/sys/kernel/io_uring_disabled")
        state = switch.read_text("utf-8").strip() if switch.exists() else "?"
        name = linux.error_name(error.errno)
        return f"io_uring_setup: {name} (io_uring_disabled is {state})"
    return None


ATTACK = Attack(
    name="io_uring",
    title="io_uring registered buffer",
    layer=Layer.KERNEL,
    explanation=(
        "A buffer registered with io_uring stays pinned, so that the kernel "
        "can use it at any later time. Registering the secret's page is "
        "refused."
    ),
    run=run,
    requires=requires,
)
