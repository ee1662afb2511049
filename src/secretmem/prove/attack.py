"""
What an attack is, what it can find, and what its row says in the end.

An attack is run once for each kind of memory.  On ordinary memory it is the
*control*: it must succeed there, or the attack itself is broken and proves
nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from secretmem.prove import kinds


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.prove.stage import Stage


class Outcome(enum.StrEnum):
    """What one attack got from one kind of memory."""

    LEAKED = "leaked"
    CHANGED = "changed"
    REFUSED = "refused"
    ABSENT = "absent"
    NOT_RUN = "not run"
    NO_TARGET = "no target"
    BROKEN = "broken"


class Promise(enum.StrEnum):
    """What the package promises about an attack on a Secret."""

    CLOSED = "not readable, not changeable"
    READABLE = "readable: a documented limit"


class Verdict(enum.StrEnum):
    """What a row says in the end."""

    KEPT = "as promised"
    DOCUMENTED = "readable, as documented"
    FINDING = "finding"
    UNEXPECTED = "not readable, though documented as readable"
    BROKEN = "attack broken"
    NOT_RUN = "not run"
    SHOWN = "degraded: nothing promised"


class Layer(enum.StrEnum):
    """Who is kept out, in the order of the threat model."""

    KERNEL = "through the kernel"
    DESCRIPTOR = "files, descriptors, children"
    PROCESS = "another process of the same user"
    ADDRESS_SPACE = "stray reads in the process"
    RESIDUE = "copies left behind"
    LANGUAGE = "Python itself"
    LIMIT = "limits: what is not stopped"


SUCCESS = frozenset({Outcome.LEAKED, Outcome.CHANGED})
FAILURE = frozenset({Outcome.REFUSED, Outcome.ABSENT})


@dataclass(frozen=True)
class Cell:
    """
    The outcome of one attack on one kind of memory.

    ``code`` is the errno, signal or exception name of a refusal, or "".
    ``evidence`` is what was observed, without the content.
    """

    kind: str
    outcome: Outcome
    evidence: str
    code: str = ""

    @property
    def label(self) -> str:
        """Return the outcome in one or two words."""
        if self.code and self.outcome is Outcome.REFUSED:
            return f"refused {self.code}"
        return str(self.outcome)


@dataclass(frozen=True)
class Attack:
    """
    One attack.

    ``run`` attacks one kind of memory and returns what it got.  ``requires``
    returns why this machine or user cannot run the attack, or None.
    ``locked`` is what is known of mlocked memory: whether the attack reads
    it.  ``standard`` tells whether it belongs to the default set.
    ``seconds`` limits one kind.
    """

    name: str
    title: str
    layer: Layer
    explanation: str
    run: Callable[[Stage, str], Cell]
    requires: Callable[[], str | None] = lambda: None
    promise: Promise = Promise.CLOSED
    locked: bool = True
    standard: bool = True
    seconds: float = 60.0

    def expectation(self, kind: str) -> str:
        """Return in words what has to come out for ``kind``."""
        if kind == kinds.ORDINARY:
            return "succeeds: this is the control"
        if kind == kinds.MLOCKED:
            return "succeeds" if self.locked else "fails here too"
        if kind == kinds.DEGRADED:
            return "nothing promised: the degraded mode is shown"
        return str(self.promise)


@dataclass(frozen=True)
class Row:
    """An attack with its cells; ``cells`` holds one for each kind."""

    attack: Attack
    cells: tuple[Cell, ...]
    seconds: float = 0.0
    reason: str = ""
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        """Judge the cells."""
        object.__setattr__(self, "verdict", _judge(self))

    def cell(self, kind: str) -> Cell | None:
        """Return the cell of ``kind``, None when it was not run."""
        return next((c for c in self.cells if c.kind == kind), None)

    def label(self, kind: str) -> str:
        """Return the outcome for ``kind`` in one or two words."""
        cell = self.cell(kind)
        if cell is None:
            return "not run" if self.reason else "-"
        if kind == kinds.SECRETMEM and self.verdict is Verdict.DOCUMENTED:
            return "readable"
        return cell.label


class CannotRunError(Exception):
    """This machine, or this user, cannot run the attack; says why."""


def _judge(row: Row) -> Verdict:
    """Compare what came out with the promise; the control comes first."""
    if any(cell.outcome is Outcome.BROKEN for cell in row.cells):
        return Verdict.BROKEN
    control = row.cell(kinds.ORDINARY)
    if control is None or control.outcome is Outcome.NOT_RUN:
        return Verdict.NOT_RUN
    if control.outcome not in SUCCESS:
        return Verdict.BROKEN
    for kind in kinds.SECRET_KINDS:
        cell = row.cell(kind)
        if cell is not None:
            return _judge_secret(row.attack.promise, cell)
    return Verdict.NOT_RUN


def _judge_secret(promise: Promise, cell: Cell) -> Verdict:
    """Judge the cell of a Secret after its control succeeded."""
    if cell.outcome is Outcome.NOT_RUN:
        return Verdict.NOT_RUN
    if cell.kind == kinds.DEGRADED and cell.outcome is not Outcome.BROKEN:
        return Verdict.SHOWN
    if cell.outcome not in SUCCESS | FAILURE:
        return Verdict.BROKEN
    if promise is Promise.CLOSED:
        if cell.outcome in SUCCESS:
            return Verdict.FINDING
        return Verdict.KEPT
    if cell.outcome in SUCCESS:
        return Verdict.DOCUMENTED
    return Verdict.UNEXPECTED
