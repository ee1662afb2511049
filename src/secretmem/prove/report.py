"""What came out, in one sentence, as an exit code, and as JSON."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secretmem.prove.attack import SUCCESS, Verdict
from secretmem.prove.kinds import DEGRADED


if TYPE_CHECKING:
    from secretmem.prove.attack import Row
    from secretmem.prove.runner import Setting


FINE, FINDING, UNAVAILABLE = 0, 1, 69

_VERSION = 1
_BAD = (Verdict.FINDING, Verdict.UNEXPECTED, Verdict.BROKEN)


@dataclass(frozen=True)
class Report:
    """All rows of a run, on which machine, and how long it took."""

    setting: Setting
    rows: tuple[Row, ...]
    seconds: float

    def named(self, verdict: Verdict) -> list[str]:
        """Return the names of the rows with a verdict."""
        return [r.attack.name for r in self.rows if r.verdict is verdict]

    @property
    def exit_code(self) -> int:
        """
        Return 0 if every row that ran came out as promised.

        1 for a finding or a broken attack, 69 where there is no secret
        memory or no row could run.
        """
        if self.setting.unavailable is not None:
            return UNAVAILABLE
        if any(row.verdict in _BAD for row in self.rows):
            return FINDING
        ran = (row.verdict is not Verdict.NOT_RUN for row in self.rows)
        return FINE if any(ran) else UNAVAILABLE

    @property
    def sentence(self) -> str:
        """Return the verdict as one sentence."""
        if self.setting.unavailable is not None:
            return self._without_secret_memory()
        bad = [
            f"{verdict}: {', '.join(self.named(verdict))}"
            for verdict in _BAD
            if self.named(verdict)
        ]
        if bad:
            return "not as promised: " + "; ".join(bad)
        return self._as_promised()

    def _as_promised(self) -> str:
        """Return the sentence for a run without a bad row."""
        counts = collections.Counter(row.verdict for row in self.rows)
        kept, limits = counts[Verdict.KEPT], counts[Verdict.DOCUMENTED]
        text = (
            f"{_counted(kept, 'attack')} read or changed ordinary memory, "
            "and none of them the secret"
        )
        if not kept:
            text = "no attack that a Secret is to stop was run"
        if limits:
            text += f"; {_counted(limits, 'limit')} readable, as documented"
        if counts[Verdict.NOT_RUN]:
            text += f"; {counts[Verdict.NOT_RUN]} not run here"
        return text

    def _without_secret_memory(self) -> str:
        """Return the sentence for a machine without memfd_secret."""
        cells = [row.cell(DEGRADED) for row in self.rows]
        read = sum(c is not None and c.outcome in SUCCESS for c in cells)
        ran = sum(row.verdict is Verdict.SHOWN for row in self.rows)
        return (
            f"secret memory is not available here; in the degraded mode "
            f"(mlock) {read} of {_counted(ran, 'attack')} got the needle"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that json can write."""
        setting = self.setting
        missing = setting.unavailable
        return {
            "format": "secretmem-prove",
            "version": _VERSION,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "sentence": self.sentence,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "setting": {
                "kernel": setting.kernel,
                "machine": setting.machine,
                "user": setting.user,
                "gate": setting.gate,
                "made_of": setting.made_of,
                "unavailable": missing
                and {"reason": missing.reason, "message": missing.message},
            },
            "rows": [_row_as_dict(row) for row in self.rows],
        }


def _row_as_dict(row: Row) -> dict[str, Any]:
    """Return one row as a dictionary."""
    attack = row.attack
    return {
        "name": attack.name,
        "title": attack.title,
        "layer": str(attack.layer),
        "promise": str(attack.promise),
        "verdict": str(row.verdict),
        "reason": row.reason,
        "seconds": round(row.seconds, 3),
        "cells": [
            {
                "kind": cell.kind,
                "outcome": str(cell.outcome),
                "code": cell.code,
                "expected": attack.expectation(cell.kind),
                "evidence": cell.evidence,
            }
            for cell in row.cells
        ],
    }


def _counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
