"""What an audit saw: places, forms and counts, never a byte of a key."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from secretmem.audit.maps import SECRET


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.audit.search import Form


# Raised when a field changes its meaning or goes; new ones may come.
SCHEMA = 1

_KIB = 1024


class Finding(NamedTuple):
    """A piece of a key where it should not be."""

    key: str
    """Label of the key."""
    form: str
    """Which part, and how it is written."""
    kind: str
    """heap, stack, thread stack, anonymous, file, shared, registers, notes."""
    where: str
    """Name of the mapping, of the registers, or of the part of a file."""
    address: int
    """In memory; offset in a set of registers."""
    size: int
    """Bytes in a row."""


class Row(NamedTuple):
    """Findings of one form in one place."""

    key: str
    form: str
    where: str
    pieces: int
    first: int
    most: int


@dataclass
class Report:
    """All that one audit saw."""

    target: str
    forms: tuple[Form, ...]
    findings: list[Finding] = field(default_factory=list)
    searched: int = 0
    """Bytes of memory or of the file."""
    refused: dict[str, int] = field(default_factory=dict)
    """Bytes that could not be read, by mapping."""
    threads: int = 0
    """Threads whose registers were looked at."""
    stopped: float = 0.0
    """Seconds of the longest stop of a thread."""
    seconds: float = 0.0
    gaps: list[str] = field(default_factory=list)
    """
    Why the audit is not complete: the target ended or called execve(2)
    meanwhile, a thread could not be stopped, too much was found, a core file
    is cut off.
    """

    @property
    def complete(self) -> bool:
        """Whether all was searched; if not, a clean report proves nothing."""
        return not self.gaps

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def rows(self) -> list[Row]:
        """Put findings of the same form in the same place together."""
        groups = collections.defaultdict(list)
        for each in self.findings:
            where = f"{each.kind} {each.where}".strip()
            groups[each.key, each.form, where].append(each)
        return [
            Row(
                *group,
                len(found),
                min(f.address for f in found),
                max(f.size for f in found),
            )
            for group, found in sorted(groups.items())
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON; sizes in bytes."""
        return {
            "schema": SCHEMA,
            "target": self.target,
            "clean": self.clean,
            "complete": self.complete,
            "gaps": self.gaps,
            "keys": sorted({form.key for form in self.forms}),
            "forms": len(self.forms),
            "searched": self.searched,
            "refused": self.refused,
            "threads": self.threads,
            "stopped_seconds": round(self.stopped, 6),
            "seconds": round(self.seconds, 3),
            "findings": [each._asdict() for each in self.findings],
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        keys = len({form.key for form in self.forms})
        yield f"audited      {self.target}"
        yield (
            f"looked for   {_counted(keys, 'key')} in "
            f"{_counted(len(self.forms), 'form')}"
        )
        yield f"looked at    {self._looked_at()}"
        for name, count in sorted(self.refused.items()):
            what = "secret memory" if name == SECRET else name or "anonymous"
            yield f"not readable {size_text(count)} of {what}"
        for gap in self.gaps:
            yield f"not complete {gap}"
        yield ""
        if self.findings:
            yield from self._table()
            yield ""
        yield self.sentence

    @property
    def sentence(self) -> str:
        """Say what came out."""
        end = "" if self.complete else " (and the audit is not complete)"
        if self.clean:
            return f"nothing was found{end}"
        keys = len({each.key for each in self.findings})
        pieces = _counted(len(self.findings), "piece")
        return f"found {pieces} of {_counted(keys, 'key')}{end}"

    def _looked_at(self) -> str:
        text = f"{size_text(self.searched)} in {self.seconds:.1f} s"
        if self.threads:
            text += (
                f", registers of {_counted(self.threads, 'thread')}, each "
                f"stopped for at most {self.stopped * 1000:.1f} ms"
            )
        return text

    def _table(self) -> Iterator[str]:
        head = Row("KEY", "FORM", "WHERE", 0, 0, 0)
        rows = self.rows()
        widths = [
            max(len(str(row[column])) for row in (head, *rows))
            for column in range(3)
        ]
        names = "  ".join(str(n).ljust(w) for n, w in zip(head, widths))  # noqa: B905 - the texts only
        yield f"{names}  COUNT  BYTES  FIRST AT"
        for row in rows:
            names = "  ".join(str(n).ljust(w) for n, w in zip(row, widths))  # noqa: B905 - as above
            yield f"{names}  {row.pieces:5}  {row.most:5}  {row.first:#x}"


def size_text(size: int) -> str:
    """Write a number of bytes for people."""
    number = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if number < _KIB:
            return (
                f"{number:.0f} {unit}"
                if unit == "bytes"
                else (f"{number:.1f} {unit}")
            )
        number /= _KIB
    return f"{number:.2f} GiB"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
