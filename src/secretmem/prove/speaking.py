"""
Attacks on the language level: what Python itself tells about a value.

Each of them makes texts out of the object in the victim; the attacker looks
for the needle in them, plain and encoded.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from secretmem.prove.attack import Cell, Outcome


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
        said: Texts = victim.call(attack)
        leaks = [
            name
            for name, way in said.items()
            if victim.needle.find_any_form(way["text"].encode("latin-1"))
        ]
    if leaks:
        text = f"the needle is in {len(leaks)} of {len(said)} texts: "
        return Cell(kind, Outcome.LEAKED, text + ", ".join(leaks))
    return _silent(kind, said)


def _silent(kind: str, said: Texts) -> Cell:
    """Report ways none of which gave the needle away."""
    evidence = "; ".join(
        f"{name}: {way['error'] or _telling_line(way['text'])}"
        for name, way in said.items()
    )
    errors = collections.Counter(
        way["error"] for way in said.values() if way["error"]
    )
    if not errors:
        return Cell(kind, Outcome.ABSENT, evidence)
    return Cell(kind, Outcome.REFUSED, evidence, errors.most_common(1)[0][0])


def _telling_line(text: str) -> str:
    """Return the line of a text that shows the object, if one does."""
    lines = text.strip().splitlines() or [""]
    shown = [line.strip() for line in lines if "<Secret" in line]
    return (shown or lines)[-1][:100]


def _try(way: Callable[[Any], object], value: object) -> dict[str, str]:
    """Return what a way says, as text, or the name of its refusal."""
    try:
        said = way(value)
    except Exception as error:  # noqa: BLE001 - the refusal is the result
        text = str(error).encode("latin-1", "backslashreplace")
        return {
            "text": text.decode("latin-1"),
            "error": type(error).__name__,
        }
    if isinstance(said, bytes):
        said = said.decode("latin-1")
    text = str(said).encode("latin-1", "backslashreplace")
    return {"text": text.decode("latin-1"), "error": ""}
