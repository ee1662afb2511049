"""
Recorded machines: the files that a program reads, as one text each.

A tree names live facts (``@outcome ok ok ok``), files (``== PATH`` and then
the content) and links (``== PATH -> TARGET``); tests/doctor/record.py writes
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.doctor import Finding, Outcome, System, examine


if TYPE_CHECKING:
    from collections.abc import Mapping


TREES = Path(__file__).resolve().parents[1] / "doctor" / "trees"


def unpack(
    name: str, root: Path, changes: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """
    Write the tree ``name`` below ``root`` and return its live facts.

    ``changes`` replaces the content of files; None leaves a file out.
    """
    text = (TREES / name).read_text("utf-8")
    head, *parts = text.split("\n== ")
    files: dict[str, str | None] = {}
    for part in parts:
        path, _, content = part.partition("\n")
        place, _, target = path.partition(" -> ")
        if target:
            link = root / place
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        else:
            files[place] = f"{content}\n" if content else ""
    write(root, {**files, **(changes or {})})
    facts = (line.removeprefix("@").split(" ", 1) for line in head.split("\n"))
    return dict(facts)


def write(root: Path, files: Mapping[str, str | None]) -> None:
    """Write files below ``root``; skip those that are None."""
    for place, content in files.items():
        if content is not None:
            path = root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")


class Recorded:
    """Makes recorded systems, each once, below one folder."""

    def __init__(self, root: Path) -> None:
        """Unpack below ``root``."""
        self._root = root

    def __call__(
        self,
        name: str,
        changes: Mapping[str, str | None] | None = None,
        **facts: Any,  # noqa: ANN401 - whatever System takes
    ) -> System:
        """Unpack ``name`` with ``changes``; ``facts`` replace live ones."""
        self._root.mkdir()
        seen = unpack(name, self._root, changes)
        regime = None if seen["regime"] == "None" else seen["regime"]
        live = {
            "machine": seen["machine"],
            "outcome": Outcome(*seen["outcome"].split()),
            "regime": regime,
            "dumpable": int(seen["dumpable"]),
            **facts,
        }
        return System(str(self._root), **live)


def by_check(found: list[Finding], check: str) -> list[Finding]:
    """Return the findings of one check."""
    return [each for each in found if each.check == check]


def one(system: System, check: str) -> Finding:
    """Examine ``system`` and return the only finding of one check."""
    found = by_check(examine(system), check)
    assert len(found) == 1, found
    return found[0]
