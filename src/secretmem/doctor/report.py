"""The findings as text for people and as data for programs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from secretmem.doctor.finding import worst


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.finding import Finding
    from secretmem.doctor.system import System


# Raised when a field changes its meaning or goes; new ones may come.
SCHEMA = 1

_LABEL = 14

_PARTS = ("evidence", "consequence", "remedy")


def as_dict(system: System, findings: list[Finding]) -> dict[str, object]:
    """Return the whole report for JSON."""
    return {
        "schema": SCHEMA,
        "status": worst(findings),
        "kernel": system.kernel.text,
        "upstream": system.kernel.base(),
        "machine": system.machine,
        "findings": [finding.as_dict() for finding in findings],
    }


def as_lines(
    system: System, findings: list[Finding], width: int = 79
) -> Iterator[tuple[str, str]]:
    """
    Yield (status, line) pairs, ``width`` columns wide, gravest first.

    What is in order takes one line; everything else is told in full.  The
    status of a line lets the caller colour it; it is "" for the title and
    for lines that go on.
    """
    title = f"secretmem doctor: Linux {system.kernel.text} {system.machine}"
    yield "", title.rstrip()
    for finding in findings:
        if finding.status != "ok":
            yield "", ""
        first, *others = _wrap(finding.status, finding.what, width)
        yield finding.status, first
        for line in others:
            yield "", line
        if finding.status != "ok":
            yield from _details(finding, width)


def _details(finding: Finding, width: int) -> Iterator[tuple[str, str]]:
    """Yield the parts of one finding, indented below it."""
    yield "", f"{'':{_LABEL}}({finding.check})"
    for part in _PARTS:
        for line in _wrap(f"  {part}", getattr(finding, part), width):
            yield "", line


def _wrap(label: str, text: str, width: int) -> list[str]:
    """Return ``text`` beside ``label``; nothing for no text."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        # A command must be copied as it is printed.
        break_long_words=False,
        break_on_hyphens=False,
    )
