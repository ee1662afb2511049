"""
What an import costs over a bare start of the interpreter.

CPU time of whole processes (wait4(2)), started in turn: it holds the search
for the files, the dynamic linker, and what is paid again at the end.
"""

from __future__ import annotations

import os
import sys
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench.workers import BUILD


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BARE = "pass"
PACKAGE = "import secretmem"
SECRET = "from secretmem import Secret"
STATEMENTS = (
    BARE,
    PACKAGE,
    SECRET,
    "import hmac",
    "import ctypes",
    "import cryptography.fernet",
)


class Import(NamedTuple):
    """Milliseconds over a bare start; of BARE, the start itself."""

    statement: str
    best: float
    median: float


def measure(rounds: int) -> list[Import]:
    """Time all statements in turn; one that fails is left out."""
    samples: dict[str, list[float]] = {
        each: [] for each in STATEMENTS if _start(each) is not None
    }
    assert samples.keys() >= {BARE, PACKAGE, SECRET}
    for _ in range(rounds):
        for statement, times in samples.items():
            took = _start(statement)
            assert took is not None
            times.append(took)
    return _over_bare(samples)


def _over_bare(samples: Mapping[str, Sequence[float]]) -> list[Import]:
    low, middle = min(samples[BARE]), median(samples[BARE])
    return [
        Import(
            statement,
            min(times) - (low if statement != BARE else 0),
            median(times) - (middle if statement != BARE else 0),
        )
        for statement, times in samples.items()
    ]


def _start(statement: str) -> float | None:
    """
    Run a statement in a fresh interpreter; CPU milliseconds.

    Compiled modules are kept in a folder of the benchmark, also where the
    environment says that none are written: else it would be compiling that
    is measured.
    """
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(BUILD / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-P", "-c", statement]
    quiet = os.open(os.devnull, os.O_WRONLY)
    try:
        pid = os.posix_spawn(
            sys.executable,
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
    finally:
        os.close(quiet)
    if status:
        return None
    return (usage.ru_utime + usage.ru_stime) * 1000
