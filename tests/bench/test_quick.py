"""
The benchmark runs, and what it counts is as promised.

Times are not tested: they are the machine's as much as ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest


Report = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.needs_secretmem

# The gate's openings per operation; each is two mprotect(2) without keys.
OPENINGS = {
    "create_close": 2,
    "random_close": 2,
    "reveal": 3,
    "compare": 1,
    "matches": 1,
    "slice_close": 2,
}
# What the operation itself asks of the kernel.
OTHER_CALLS = {
    "create_close": {},
    "random_close": {"getrandom": 1},
    "reveal": {},
    "compare": {"sigaltstack": 1},
    "matches": {"sigaltstack": 1},
    "slice_close": {},
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Report]:
    """Run it once: what it printed, and its JSON."""
    file = tmp_path_factory.mktemp("bench") / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--json", file],
        check=False,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, cast("Report", json.loads(file.read_text("utf-8")))


@pytest.fixture
def report(printed: tuple[str, Report]) -> Report:
    """Give the JSON."""
    return printed[1]


def _gates(report: Report) -> set[str]:
    """Name the gates that were measured here."""
    return {"pku", "mprotect"} - set(report["machine"]["absent"])


def test_every_configuration_that_is_here_was_timed(report: Report) -> None:
    """No configuration drops out silently, and no time is zero."""
    for gate in _gates(report):
        mine = [time for time in report["times"] if time["who"] == gate]
        operations = {time["operation"] for time in mine}
        assert operations == set(OPENINGS)
    assert all(min(time["samples_ns"]) > 0 for time in report["times"])


def test_a_secret_costs_at_most_64_locked_bytes(report: Report) -> None:
    """Counted over thousands of 32-byte secrets, and by the kernel too."""
    sizes = {each["key"]: each for each in report["bytes"]}
    for gate in _gates(report):
        assert 32 < sizes[gate]["locked_each"] <= 64
        assert 0 < sizes[gate]["first_locked"] <= 64 << 10


def test_many_secrets_fit_under_usual_limits(report: Report) -> None:
    """As an unprivileged user, with a window out and a stack in use."""
    counts = {(e["key"], e["limit"]): e["live"] for e in report["live"]}
    limits = {limit for _, limit in counts}
    assert 64 << 10 in limits
    for gate in _gates(report):
        assert counts[gate, 64 << 10] > 500
        if 8 << 20 in limits:
            assert counts[gate, 8 << 20] > 100_000


@pytest.mark.needs_tool("strace")
@pytest.mark.needs_ptrace
def test_system_calls_of_each_operation(report: Report) -> None:
    """The gate costs two calls for each opening, or none with a key."""
    calls = {(e["operation"], e["key"]): e["counts"] for e in report["calls"]}
    for gate in _gates(report):
        for operation, openings in OPENINGS.items():
            expected = dict(OTHER_CALLS[operation])
            if gate == "mprotect":
                expected["mprotect"] = 2 * openings
            assert calls[operation, gate] == expected, operation


def test_every_cryptographic_call_was_timed(report: Report) -> None:
    """Ours by each gate that is here, and the library called plainly."""
    keys = report["cryptography"]
    everything = {time["operation"] for time in keys["times"]}
    who = [*_gates(report), *{"plain", "pyca"} - set(keys["absent"])]
    for one in who:
        mine = [time for time in keys["times"] if time["who"] == one]
        assert {time["operation"] for time in mine} == everything
    assert len(everything) == 10
    assert all(min(time["samples_ns"]) > 0 for time in keys["times"])


def test_a_key_needs_little_locked_memory(report: Report) -> None:
    """One Ed25519 key is loaded and signs under a limit of 64 KiB."""
    locked = {
        (e["key"], e["limit"]): e for e in report["cryptography"]["locked"]
    }
    for gate in _gates(report):
        signed = locked[gate, 64 << 10]["first_signature"]
        assert 0 < signed <= 64 << 10


@pytest.mark.needs_tool("strace")
@pytest.mark.needs_ptrace
def test_system_calls_of_each_cryptographic_call(report: Report) -> None:
    """One opening of the gate, one question for a signal stack, no more."""
    for each in report["cryptography"]["calls"]:
        expected = {"sigaltstack": 1}
        if each["key"] == "mprotect":
            expected["mprotect"] = 2
        if each["operation"] == "p256_sign":
            expected["getrandom"] = 1
        assert each["counts"] == expected, each["operation"]


def test_table_names_every_target_and_fits_the_terminal(
    printed: tuple[str, Report],
) -> None:
    """A row that could not be measured says why."""
    text, report = printed
    assert max(map(len, text.splitlines())) <= 79
    targets = report["targets"] + report["cryptography"]["targets"]
    for target in targets:
        assert target["name"] in text
        assert target["reached"] is not None or target["why"] in text
