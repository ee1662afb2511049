"""
Ten everyday tasks: at most five lines differ, and what is left is counted.

Each program of ``examples/tasks`` runs against the real thing, as usual and
with secretmem, and is looked at from outside when it has done its work.
"""

from __future__ import annotations

import difflib
import subprocess
import sys

import pytest

from tasks.count import EXAMPLES, run
from tasks.stages import STAGES


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

# These hand the secret to a library as text, when it is used: what is found
# then is what the documentation says.
EXPORTED = {"postgresql", "bearer_token"}


def _tasks() -> list[str]:
    names = (path.stem for path in EXAMPLES.glob("*_before.py"))
    return sorted(name.removesuffix("_before") for name in names)


def _marked() -> list[object]:
    server = pytest.mark.needs_postgresql
    return [
        pytest.param(name, marks=server) if "postgresql" in name else name
        for name in STAGES
    ]


def test_there_are_ten_tasks() -> None:
    """Two have two programs; two tasks have tests of their own."""
    assert len(_tasks()) == 12
    assert set(_tasks()) - set(STAGES) == {"gunicorn_app", "unit_tests"}


@pytest.mark.parametrize("name", _tasks())
def test_at_most_five_lines_differ(name: str) -> None:
    """Lines that are new, and lines that are gone."""
    before, after = (
        [line for line in path.read_text().splitlines() if line.strip()]
        for path in (EXAMPLES / f"{name}_before.py", EXAMPLES / f"{name}.py")
    )
    changes = [
        line[0]
        for line in difflib.ndiff(before, after)
        if line.startswith(("+ ", "- "))
    ]
    assert changes.count("+") <= 5
    assert changes.count("-") <= 5


@pytest.mark.parametrize("name", _marked())
def test_what_is_left(name: str) -> None:
    """The usual program leaves copies; the other none, or the known ones."""
    before, after = run(name, f"{name}_before"), run(name, name)
    print(f"{name}: {before.copies} copies before, {after.copies} after")  # noqa: T201 - shown by -rP
    assert before.copies
    assert bool(after.copies) is (name in EXPORTED)
    assert not after.reported
    if name == "error_report":
        assert before.reported
    elif name == "kubernetes":
        # The keys are fresh in each run.
        assert len(set(before.said.split() + after.said.split())) == 4
    else:
        assert before.said == after.said


@pytest.mark.parametrize("name", ["unit_tests_before", "unit_tests"])
def test_unit_tests_run_without_the_call(name: str) -> None:
    """With the fake of the pytest plugin, by name."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--secretmem-fake"),
            *("-c", "/dev/null", str(EXAMPLES / f"{name}.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
