"""
Attacks on the language level: what Python itself tells about a value.

Each of them makes texts out of the object in the victim; the attacker looks
for the needle in them, plain and encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from secretmem.prove.attack import Cell, Outcome
from secretmem.prove.reading import seen


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


# Ways to make a text of an object, by name.
Ways = Mapping[str, Callable[[Any], object]]

# What a way of speaking returns, or the exception that it raised.
Texts = dict[str, dict[str, str]]


def speak(ways: Ways, value: object) -> Texts:
    """In the victim: try every way and return the texts or refusals."""
    return {name: _try(way, value) for name, way in ways.items()}


def run(stage: Stage, kind: str, attack: str) -> Cell:
    """Run ``inside`` of an attack and look for the needle in its texts."""
    with stage.victim(kind) as victim:
        said = victim.call(attack)
        for name, way in said.items():
            data = way["text"].encode("utf-8", "surrogateescape")
            cell = seen(kind, victim.needle, data, name)
            if cell.outcome is Outcome.LEAKED:
                return cell
    return _silent(kind, said)


def _silent(kind: str, said: Texts) -> Cell:
    """Report ways none of which gave the needle away."""
    parts = [
        f"{name}: {way['error'] or way['text'][:60]}"
        for name, way in said.items()
    ]
    errors = {way["error"] for way in said.values()}
    code = errors.pop() if len(errors) == 1 else ""
    outcome = Outcome.REFUSED if code else Outcome.ABSENT
    return Cell(kind, outcome, "; ".join(parts), code)


def _try(way: Callable[[Any], object], value: object) -> dict[str, str]:
    """Return what a way says, as text, or the name of its refusal."""
    try:
        said = way(value)
    except Exception as error:  # noqa: BLE001 - the refusal is the result
        return {"text": str(error), "error": type(error).__name__}
    if isinstance(said, bytes):
        said = said.decode("latin-1")
    return {"text": str(said), "error": ""}
