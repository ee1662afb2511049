"""One answer of ``secretmem doctor`` and what the answers add up to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal


if TYPE_CHECKING:
    from collections.abc import Iterable


Status = Literal["ok", "note", "unknown", "finding", "unavailable"]

# From harmless to grave; reports list the grave ones first.
STATUSES: tuple[Status, ...] = (
    "ok",
    "note",
    "unknown",
    "finding",
    "unavailable",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one check found.

    ``check`` is a stable name ("kernel.switch") and ``what`` the finding in
    one sentence.  ``evidence`` says where that was seen, ``consequence``
    what it means for secrets and ``remedy`` what to do, with the exact
    command or line; the last two may be empty when all is well.

    ``status``: ``ok``; ``note``, a fact to know that no setting of secretmem
    changes; ``unknown``, could not be read; ``finding``, should be changed;
    ``unavailable``, secret memory cannot be used.
    """

    check: str
    status: Status
    what: str
    evidence: str
    consequence: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the fields by name, for JSON."""
        return asdict(self)


def worst(findings: Iterable[Finding]) -> Status:
    """Return the gravest status among ``findings``, "ok" when empty."""
    return max(
        (finding.status for finding in findings),
        key=STATUSES.index,
        default="ok",
    )
