"""
At no instruction outside the domain does a register hold secret bytes.

See `leak.stepper`. This is the test of the light gate: what it copies goes
from memory to memory, so a signal at any moment has nothing to write down.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Setting, run


if TYPE_CHECKING:
    from pathlib import Path

    from leak.stage import Program


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

STEPPED = catalogue.programs("stepped")

# Operations that go through the domain.
INSIDE = {
    "step_equals",
    "step_matches",
    "step_matches_str",
    "step_slice_back",
    "step_strip",
    "step_base64",
    "step_hex",
    "step_wrong_hex",
    "step_key_ring",
    "step_from_fd",
    "step_line",
}


def test_this_processor() -> None:
    """Stepping reads the registers of x86-64."""
    assert platform.machine() == "x86_64"


@pytest.mark.parametrize("program", STEPPED.values(), ids=lambda p: p.name)
def test_registers_hold_no_secret(program: Program, tmp_path: Path) -> None:
    """Not one instruction on the ordinary stack has a piece in a register."""
    hits = _stepped(program, tmp_path)
    # An address, too, may be like four letters of a random text; not at the
    # same instruction with another text.
    if hits:
        hits &= _stepped(program, tmp_path)
    assert not hits


def _stepped(program: Program, folder: Path) -> set[tuple[str, str]]:
    """Run once; give the registers and places of hits."""
    done = run(program, Setting(folder))
    assert done.steps
    for steps in done.steps:
        assert steps.outside > 1000
        assert (steps.inside > 0) == (program.name in INSIDE)
    return {hit for steps in done.steps for hit in steps.hits}


@pytest.mark.parametrize("name", ["step_equals", "step_slice", "step_hex"])
def test_control_bytes_pass_through_registers(
    name: str, tmp_path: Path
) -> None:
    """The same on bytes objects has pieces in registers."""
    done = run(STEPPED[name], Setting(tmp_path, ordinary=True))
    assert all(steps.hits for steps in done.steps)
