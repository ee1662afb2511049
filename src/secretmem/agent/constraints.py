"""Constraints of a key as an add message carries them."""

from __future__ import annotations

from typing import NamedTuple

from secretmem.agent import destination, messages
from secretmem.agent.destination import Destination  # noqa: TC001 - a field
from secretmem.agent.wire import Fields, WireError


class Constraints(NamedTuple):
    """
    What a key may be used for.

    ``lifetime`` is in seconds; ``destinations`` is empty when the key may be
    used everywhere. ``encoded`` is what `read` has read.
    """

    lifetime: int | None = None
    confirm: bool = False
    destinations: tuple[Destination, ...] = ()
    encoded: bytes = b""


def read(data: bytes) -> Constraints:
    """
    Read the end of an add message.

    Raises:
        WireError: A constraint is damaged, given twice or not known: a key
            is never taken with a constraint that is not kept.
    """
    found: dict[str, object] = {"encoded": data}
    fields = Fields(data)
    while fields.left:
        name, value = _one(fields)
        if name in found:
            raise WireError(f"the constraint {name} is given twice")
        found[name] = value
    return Constraints(**found)  # type: ignore[arg-type]  # made by _one


def _one(fields: Fields) -> tuple[str, object]:
    match fields.byte():
        case messages.SSH_AGENT_CONSTRAIN_LIFETIME:
            return "lifetime", fields.u32()
        case messages.SSH_AGENT_CONSTRAIN_CONFIRM:
            return "confirm", True
        case messages.SSH_AGENT_CONSTRAIN_EXTENSION:
            name = fields.string()
            if name == destination.NAME:
                return "destinations", destination.read(fields.string())
            raise WireError("a constraint extension that is not known here")
        case _:
            raise WireError("a constraint that is not known here")
