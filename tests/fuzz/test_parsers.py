"""
Parsers survive damaged input.

A short run tries few inputs, the same ones on every run.  ``make fuzz`` sets
``SECRETMEM_FUZZ_INPUTS=N`` for N others, from a seed that is printed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.parsers import NAMES, parsers


pytestmark = pytest.mark.needs_secretmem

TESTS = Path(__file__).resolve().parents[1]
SHORT = 3000
ASKED = int(os.environ.get("SECRETMEM_FUZZ_INPUTS", "0"))


def test_every_parser_is_named() -> None:
    """None is left out of the runs below, and each reads one of its seeds."""
    assert sorted(parsers()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_input_is_refused(name: str, tmp_path: Path) -> None:
    """By an error of ours: no panic, no signal, no secret left behind."""
    kept = tmp_path / "input"
    seed = secrets.token_hex(8) if ASKED else "short"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fuzz.program",
            name,
            str(ASKED or SHORT),
            seed,
        ],
        check=False,
        capture_output=True,
        cwd=TESTS,
        env={**os.environ, "SECRETMEM_FUZZ_INPUT": str(kept)},
        text=True,
    )
    data = kept.read_bytes() if kept.exists() else b""
    print(done.stdout, seed)  # noqa: T201 shown when it fails
    assert done.returncode == 0, (
        f"exit status {done.returncode}, seed {seed}, input {data.hex()}: "
        f"{done.stderr[-2000:]}"
    )
    # The seeds are real: something must have been read.
    assert int(done.stdout.split()[-2]) > 0
