"""``python -m bench.files --quick``: what is in it, not how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
# Of the interpreter with the libraries and the program's own pieces; a file
# that was held whole would be above it.
MOST_RESIDENT = 60


@pytest.mark.needs_secretmem
def test_files_and_forms_of_keys(tmp_path: Path) -> None:
    """Every row is there, and what we hold does not grow with the file."""
    file = tmp_path / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.files", "--quick", "--json", file],
        check=False,
        capture_output=True,
        cwd=ROOT,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text("utf-8"))
    assert len(report["files"]) + len(report["absent"]) == 7
    assert not any("secretmem" in label for label in report["absent"])
    for row in report["files"]:
        assert row["processor"] > 0
        assert row["peak"] < MOST_RESIDENT, row["label"]
        assert row["label"] in done.stdout
    assert len(report["loads"]) == 9
    assert all(row["ours"] > 0 < row["theirs"] for row in report["loads"])
    assert max(map(len, done.stdout.splitlines())) <= 79
