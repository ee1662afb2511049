"""Read the place of the secret through a wild pointer, while it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.prove import straying
from secretmem.prove.attack import Attack, Cell, Layer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


def inside(place: Place, fds: list[int]) -> dict[str, Any]:
    """Load from where the content lies at rest; ends by SIGSEGV there."""
    straying.copy_out(fds[0], straying.at_rest(place))
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Let the victim follow the pointer and see what it got."""
    return straying.run(
        stage, kind, "wild_pointer", "ctypes.memmove from the secret's page"
    )


ATTACK = Attack(
    name="wild_pointer",
    title="wild pointer to the secret",
    layer=Layer.ADDRESS_SPACE,
    explanation=(
        "Code of the process reads through a stray pointer (here: ctypes) "
        "that happens to point at the page of the secret. Between uses the "
        "arena is closed by a protection key or by mprotect, and the load "
        "faults. An open view can be read this way."
    ),
    run=run,
)
