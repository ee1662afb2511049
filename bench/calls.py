"""
System calls of each operation, counted by strace(1).

They are exact where times are not: a closed gate costs two mprotect(2) for
each opening, and a protection key costs none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.child import TRACED
from bench.timing import TITLES
from bench.workers import ROOT


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.workers import Configuration

_CALL = re.compile(r"(\w+)\(")
_MARK = "getppid"
# Less often than this per operation is the interpreter's own doing, such as
# more memory for its objects.
_RARE = 0.5


class Calls(NamedTuple):
    """Name and number of the system calls of one operation."""

    operation: str
    key: str
    counts: dict[str, float]


def measure(
    found: Sequence[Configuration],
    titles: Iterable[str] = TITLES,
) -> tuple[list[Calls], str]:
    """Count for each configuration; or say why nothing was counted."""
    strace = shutil.which("strace")
    if strace is None:
        return [], "strace is not installed"
    counted = []
    for each in found:
        if each.why_not or each.environment:
            continue
        log = _traced(strace, each)
        if log is None:
            return [], "strace may not trace here"
        counted += list(_by_operation(each.key, log, titles))
    return counted, ""


def _traced(strace: str, configuration: Configuration) -> str | None:
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
        command = [strace, "-qq", "-o", log.name, *configuration.command]
        done = subprocess.run(
            [*command, "trace"], check=False, capture_output=True, cwd=ROOT
        )
        return None if done.returncode else Path(log.name).read_text("utf-8")


def _by_operation(
    key: str, log: str, titles: Iterable[str]
) -> Iterator[Calls]:
    """Split a log at its marks: every second piece is one operation."""
    pieces: list[Counter[str]] = [Counter()]
    for line in log.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        if call[1] == _MARK:
            pieces.append(Counter())
        else:
            pieces[-1][call[1]] += 1
    for operation, piece in zip(titles, pieces[1::2], strict=True):
        each = {name: count / TRACED for name, count in piece.items()}
        kept = {n: c for n, c in sorted(each.items()) if c >= _RARE}
        yield Calls(operation, key, kept)
