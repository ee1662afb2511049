"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")

# The reader sees it whole: a heading, an example, the limits, two commands.
SCREEN = 70


@pytest.mark.needs_secretmem
def test_the_example_runs(tmp_path: Path) -> None:
    """The example prints what its comments say."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code) == 1
    (tmp_path / "token").write_bytes(b"hunter2\n")
    result = subprocess.run(
        [sys.executable, "-c", code[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "<Secret 'token' memfd_secret>",
        "False",
        "7",
    ]


def test_the_commands_exist() -> None:
    """Each `make` command of the README is a target."""
    targets = (ROOT / "Makefile").read_text("utf-8")
    for name in re.findall(r"\bmake ([a-z]+)", README):
        assert f".PHONY: {name}\n" in targets


def test_the_readme_is_one_screen() -> None:
    """A README that scrolls is not read."""
    assert README.count("\n") <= SCREEN


def test_the_readme_says_what_is_not_stopped() -> None:
    """The limits stand there before anything about installing."""
    limits = README.index("## What it does not stop")
    assert limits < README.index("## Requirements")
    for word in ("inside the process", "BPF", "perf", "Registers", "kdump"):
        assert word in README[limits:]
