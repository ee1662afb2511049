"""The measurement of sealed values runs, under the limit that it names."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.patience import PATIENCE


ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.needs_secretmem


def test_values_are_sealed(tmp_path: Path) -> None:
    """In a store and in a dict; memguard is quoted, and it says so."""
    file = tmp_path / "sealed.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.sealed", "--quick", "--json", file],
        check=False,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 79
    assert "memguard Enclave, quoted" in done.stdout
    store, plain = json.loads(file.read_text("utf-8"))["sealed"]
    assert (store["key"], plain["key"]) == ("SealedStore", "dict of bytes")
    for each in (store, plain):
        assert each["values"] == 20_000
        assert each["put"] > 0
        assert each["get"] > 0
    assert 0 < store["locked"] <= 64 << 10
    assert store["file"] > 79
    assert min(store["save"], store["load"], store["rekey"]) > 0
