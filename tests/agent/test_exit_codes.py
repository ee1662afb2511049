"""How ``secretmem agent`` ends when it cannot do what was asked."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem

PROGRAM = [sys.executable, "-m", "secretmem.cli.main", "agent"]


@pytest.mark.parametrize(
    "arguments, code",
    [
        (("--", "/no/such"), 127),
        (("--", "/dev/null"), 126),
        (("--secret", "x", "--", "true"), 2),
        (("--secret", "x=bogus:file:s", "--", "true"), 2),
        (("--allow-export", "y", "--", "true"), 2),
        (("--secret", "x=sign:file:/no/such", "--", "true"), 69),
        (("--log", "/no/such/log", "--", "true"), 69),
        (("status",), 1),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int) -> None:
    """As --help says, and as those of env(1) for a command."""
    done = subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done
    assert done.stderr.startswith("secretmem: ")
    assert "Errno" not in done.stderr
