"""All checks, run on one system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.doctor import (
    bugs,
    confinement,
    exposure,
    kernel,
    library,
    limits,
    machine,
    unit,
)
from secretmem.doctor.finding import STATUSES


if TYPE_CHECKING:
    from secretmem.doctor.finding import Finding
    from secretmem.doctor.system import System


_GROUPS = (
    kernel,
    bugs,
    confinement,
    unit,
    limits,
    exposure,
    machine,
    library,
)


def examine(system: System) -> list[Finding]:
    """
    Run every check on ``system`` and return the findings, gravest first.

    On a system that is not Linux only the call itself is judged.
    """
    if system.platform != "linux":
        return list(kernel.call(system))
    found = [
        finding
        for group in _GROUPS
        for check in group.CHECKS
        for finding in check(system)
    ]
    return sorted(found, key=lambda each: -STATUSES.index(each.status))
