"""The table that `secretmem prove` draws, row by row."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from secretmem.cli import voice
from secretmem.prove import kinds
from secretmem.prove.attack import SUCCESS, Outcome, Verdict


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.prove.attack import Attack, Cell, Row
    from secretmem.prove.report import Report
    from secretmem.prove.runner import Setting


# Fits 80 columns; the last one takes what is left.
_TITLE = 34
_CELLS = (11, 16, 0)
_WIDTH = 78

_COLOURS = {
    Verdict.KEPT: "bold green",
    Verdict.DOCUMENTED: "yellow",
    Verdict.SHOWN: "yellow",
    Verdict.FINDING: "bold white on red",
    Verdict.UNEXPECTED: "bold white on red",
    Verdict.BROKEN: "bold white on red",
    Verdict.NOT_RUN: "dim",
}
_TOLD = (Verdict.FINDING, Verdict.UNEXPECTED, Verdict.BROKEN)


class Table:
    """Prints the head at once, a row whenever it is there, the verdict."""

    def __init__(self, setting: Setting) -> None:
        """Print what is compared."""
        self._console = voice.console()
        self._setting = setting
        self._layer = ""
        self._head()

    def row(self, row: Row) -> None:
        """Print one row, and below it what went wrong."""
        if row.attack.layer != self._layer:
            self._layer = row.attack.layer
            self._print("")
            self._print(self._layer, "bold")
        line = Text("  " + row.attack.title.ljust(_TITLE))
        if row.verdict is Verdict.NOT_RUN:
            line.append("not run", "dim")
            self._console.print(line)
            self._wrapped(_why(row), "dim")
            return
        for kind, width in zip(self._setting.kinds, _CELLS, strict=True):
            label = row.label(kind).ljust(width - 1) + " "
            line.append(label, _colour(row, row.cell(kind)))
        line.rstrip()
        self._console.print(line)
        if row.verdict in _TOLD:
            self._wrapped(str(row.verdict).upper(), "bold red")
            for cell in row.cells:
                self._wrapped(f"{cell.kind}: {cell.evidence}", "red")

    def verdict(self, report: Report) -> None:
        """Print the verdict."""
        colour = "bold green" if report.exit_code == 0 else "bold red"
        sentence = f"{report.sentence} ({report.seconds:.1f} s)"
        self._print("")
        for line in textwrap.wrap(sentence, _WIDTH):
            self._print(line, colour)

    def _head(self) -> None:
        """Print the kinds, what they are made of, and the attacker."""
        setting = self._setting
        for kind, made_of in setting.made_of.items():
            gate = setting.gate if kind in kinds.SECRET_KINDS else ""
            self._print(f"{kind:<10} {made_of}{gate and f', gate {gate}'}")
        attacker = f"{setting.user}, {setting.kernel}, {setting.machine}"
        self._print(f"{'attacker':<10} {attacker}")
        if setting.unavailable is not None:
            self._print("")
            message = setting.unavailable.message
            self._wrapped(f"no secret memory here: {message}", "bold red")
        heads = "".join(
            kind.ljust(width)
            for kind, width in zip(setting.kinds, _CELLS, strict=True)
        )
        self._print("")
        self._print(" " * (_TITLE + 2) + heads.rstrip(), "bold")

    def _wrapped(self, text: str, colour: str) -> None:
        """Print a text below a row."""
        for line in textwrap.wrap(text, _WIDTH - 6):
            self._print(f"      {line}", colour)

    def _print(self, text: str, colour: str = "") -> None:
        """Print a line."""
        self._console.print(Text(text, colour))


def explain(attack: Attack) -> Iterator[str]:
    """Yield the lines that describe an attack."""
    slow = "" if attack.standard else " (--all)"
    yield f"{attack.name}: {attack.title}{slow}"
    yield from textwrap.wrap(
        attack.explanation,
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
    )
    yield f"    layer: {attack.layer}; promise: {attack.promise}"
    yield ""


def _colour(row: Row, cell: Cell | None) -> str:
    """Return the colour of a cell."""
    if cell is None or cell.outcome is Outcome.NO_TARGET:
        return "dim"
    if cell.kind in kinds.SECRET_KINDS:
        return _COLOURS[row.verdict]
    return "red" if cell.outcome in SUCCESS else "green"


def _why(row: Row) -> str:
    """Return why a row was not run."""
    if row.reason:
        return row.reason
    left_out = [c for c in row.cells if c.outcome is Outcome.NOT_RUN]
    return left_out[0].evidence if left_out else "no cell was reported"
