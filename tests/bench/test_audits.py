"""The measurement of audits runs, and all memory was searched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.patience import PATIENCE


ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]


def test_an_audit_is_timed(tmp_path: Path) -> None:
    """By a key of 32 bytes and by an RSA key."""
    file = tmp_path / "audits.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.audits", "--quick", "--json", file],
        check=False,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 79
    audits = json.loads(file.read_text("utf-8"))["audits"]
    assert [each["key"] for each in audits] == ["AES-256", "RSA-2048"]
    for each in audits:
        assert each["mib"] > 128
        assert each["seconds"] > 0
        assert each["processor"] > 0
