"""
How many random programs a run may try, and with which settings.

By default few, the same on every run, so that the suite is quick and a
failure is never a matter of luck. `SECRETMEM_CONFORMANCE_PROGRAMS=N` tries N
random programs instead; to see the failing one made short, set
`SECRETMEM_CONFORMANCE_SHRINK=1` too. `make conformance` sets both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test


if TYPE_CHECKING:
    from conformance.machine import Program


VARIABLE: Final = "SECRETMEM_CONFORMANCE_PROGRAMS"
SHORT: Final = 60
"""Programs of a short run: a few seconds."""
CHUNK: Final = 250
"""Programs of one test of a long run: well under its time limit."""
STEPS: Final = 50

ASKED: Final = int(os.environ.get(VARIABLE, "0"))
CHUNKS: Final = max(1, -(-ASKED // CHUNK))


SHRINK: Final = bool(os.environ.get("SECRETMEM_CONFORMANCE_SHRINK"))
"""Whether to shrink a program that fails, which can take minutes."""


def run(program: type[Program]) -> None:
    """Run one chunk of random programs."""
    _run(
        program,
        min(ASKED, CHUNK) or SHORT,
        fixed=not ASKED,
        shrink=SHRINK,
    )


def search(program: type[Program], programs: int) -> None:
    """Run up to `programs` fixed programs; fail at the first difference."""
    _run(program, programs, fixed=True)


def _run(
    program: type[Program],
    programs: int,
    *,
    fixed: bool,
    shrink: bool = False,
) -> None:
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        program,
        settings=settings(
            max_examples=programs,
            stateful_step_count=STEPS,
            derandomize=fixed,
            phases=phases,
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
