"""The comparison of agents runs, and what it counts is as promised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-agent", "ssh-add", "ssh-keygen"),
]


def test_both_agents_are_measured(tmp_path: Path) -> None:
    """Each case has figures of both; a further key locks a slot's bytes."""
    file = tmp_path / "agents.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.agents", "--quick", "--json", file],
        check=False,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 79
    report = json.loads(file.read_text("utf-8"))
    assert len(report["times"]) == 6
    for each in report["times"]:
        for who in ("ours", "theirs"):
            assert all(rate > 0 for rate, *_ in each[who])
    locked, resident = report["bytes_each"]["ours"]
    # A slot for 64 bytes, with its share of what is taken in advance.
    assert locked < 1024
    assert resident < report["bytes_each"]["theirs"][1]
