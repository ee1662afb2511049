"""Fork while other threads are inside of an operation, on its stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


pytestmark = pytest.mark.needs_secretmem

PROGRAM = Path(__file__).with_name("programs") / "inside.py"


@pytest.mark.parametrize("gate", ["auto", "mprotect"])
def test_fork_while_others_are_inside(gate: str) -> None:
    """The parent's operations go on; children work and exit normally."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), gate],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
