"""
Keys that are used leave nothing outside secret memory.

Each program loads a key and uses it, once and many times, under samples with
signals, to its end; what is looked for is the key and what an operation makes
of it (`leak.material`). The control is the same with ``cryptography``, which
shows in at least 95 of 100 samples.

``SECRETMEM_SAMPLES=1000`` takes more than the 200 samples of each operation.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Setting, problems, run
from leak.memory import scan_file


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from leak.stage import Program


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    pytest.mark.needs_tool("cc"),
]

SAMPLES = int(os.environ.get("SECRETMEM_SAMPLES", "200"))

PROGRAMS = catalogue.key_tests()

# Those that end with a core file, where one is asked for.
LIVES = [
    name
    for name, each in PROGRAMS.items()
    if name.startswith("live_") or "stage.end()" in inspect.getsource(each.run)
]

# One of each kind of operation again with a debugging allocator of Python's,
# which keeps what it frees and its surroundings in other places.
DEBUGGED = (
    "live_ed25519",
    "live_p256",
    "live_rsa",
    "live_aesgcm",
    "live_hmac",
    "live_hkdf",
    "live_fernet",
    "derive_by_mac",
    "threads_ed25519",
    "wrong_tags",
    "unreadable_rsa",
)


def _name(value: object) -> str:
    return getattr(value, "name", str(value))


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=_name)
def test_nothing_is_left(
    program: Program,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Nothing of the key shows at any look, and in no sample."""
    done = run(program, Setting(tmp_path, samples=SAMPLES))
    assert not list(problems(done.looks, ordinary=False))
    for samples in done.every:
        assert samples.inside >= SAMPLES // 32, samples
        assert not samples.hits
    record_property("looks", len(done.looks))
    record_property("samples", sum(each.inside for each in done.every))
    # Readable while an operation runs, as the threat model says.
    held = sum(each.in_registers for each in done.every)
    record_property("with a piece in registers", held)


@pytest.mark.parametrize(
    "program",
    [p for p in PROGRAMS.values() if p.no_control is None],
    ids=_name,
)
def test_control(program: Program, tmp_path: Path) -> None:
    """With cryptography, every look and 95 of 100 samples show the key."""
    setting = Setting(tmp_path, ordinary=True, many=20, samples=64)
    done = run(program, setting)
    assert not list(problems(done.looks, ordinary=True))
    for samples in done.every:
        assert samples.scanned >= 2
        assert samples.with_hits >= 0.95 * samples.scanned


@pytest.mark.needs_core_files
@pytest.mark.parametrize("name", LIVES)
def test_a_core_file_after_the_end(name: str, tmp_path: Path) -> None:
    """The kernel's core file of the process holds nothing."""
    setting = Setting(tmp_path, many=20, samples=32, abort=True)
    done = run(PROGRAMS[name], setting)
    (core,) = tmp_path.glob("core*")
    assert not scan_file(core, done.needles)


@pytest.mark.parametrize("name", DEBUGGED)
def test_with_a_debugging_allocator(name: str, tmp_path: Path) -> None:
    """The same with PYTHONMALLOC=debug."""
    setting = Setting(
        tmp_path,
        many=100,
        samples=32,
        environment={"PYTHONMALLOC": "debug"},
    )
    done = run(PROGRAMS[name], setting)
    assert not list(problems(done.looks, ordinary=False))
    assert not any(samples.hits for samples in done.every)
