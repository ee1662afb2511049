"""
In the middle of operations, with signals arriving, memory stays clean.

A signal makes the kernel write all registers to a stack. With an ordinary
signal stack, which faulthandler gives to the main thread, that would be a
copy of what an operation has in hand; `leak.programs.planted` shows that the
scanner finds such a copy.

``SECRETMEM_SAMPLES=1000`` takes more than the 50 samples inside the domain.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Setting, problems, run


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from leak.stage import Program


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

SAMPLES = int(os.environ.get("SECRETMEM_SAMPLES", "50"))


@pytest.mark.parametrize(
    "program", catalogue.programs("sampled").values(), ids=lambda p: p.name
)
def test_samples_are_clean(
    program: Program,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """No sample shows a piece; afterwards, registers are clean too."""
    done = run(program, Setting(tmp_path, samples=SAMPLES))
    samples = done.samples
    assert samples.inside == SAMPLES, f"only {samples}"
    assert not samples.hits
    assert not list(problems(done.looks, ordinary=False))
    # Readable while an operation runs, as the threat model says.
    record_property("samples", samples.inside)
    record_property("with a piece in registers", samples.in_registers)


def test_control_samples_of_bytes(tmp_path: Path) -> None:
    """The same on bytes objects shows at once."""
    program = catalogue.programs("sampled")["sample_equals"]
    done = run(program, Setting(tmp_path, ordinary=True, samples=3))
    assert done.samples.hits
