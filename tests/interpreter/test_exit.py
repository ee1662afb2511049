"""The end of the interpreter, with secrets alive and threads at work."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import alone
from support.patience import PATIENCE
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

PROGRAMS = Path(__file__).with_name("programs")


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


# 240 in all.
RUNS = {
    "all": 60,
    "mixed": 40,
    "writes": 40,
    "reads": 30,
    "input": 10,
    "room": 10,
    "view": 10,
    "inside": 20,
    "keys": 20,
}


@pytest.mark.parametrize("kind", RUNS)
def test_daemon_threads_at_exit(kind: str) -> None:
    """Exit code 0 and no output, every time."""
    runs = times(RUNS[kind], least=10)
    pauses = [str(0.002 * (number % 13)) for number in range(runs)]

    def once(pause: str) -> tuple[int, str]:
        done = run("daemons.py", kind, pause)
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(once, pauses)) == {(0, "")}


def test_live_secrets_and_views_at_exit() -> None:
    """In modules, cycles, generators, thread locals and exit handlers."""
    for _ in range(3):
        done = run("at_exit.py")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_exit_by_other_ways() -> None:
    """sys.exit in a block, os._exit, an exception, a signal."""

    def leaving(way: str) -> None:
        import os
        import signal
        import sys

        from secretmem import Secret

        with Secret.from_bytes(b"x" * 5000) as secret, secret.reveal() as view:
            assert bytes(view[:1]) == b"x"
            if way == "exit":
                sys.exit(7)
            if way == "_exit":
                os._exit(7)
            if way == "raise":
                raise ValueError(way)
            os.kill(os.getpid(), signal.SIGTERM)

    assert alone.run(leaving, "exit").returncode == 7
    assert alone.run(leaving, "_exit").returncode == 7
    assert alone.run(leaving, "raise").returncode == 1
    assert alone.run(leaving, "term").returncode == -15


def test_a_traceback_shows_no_content() -> None:
    """As the interpreter prints it, with a secret and a view in the frame."""

    def failing() -> None:
        from secretmem import Secret

        secret = Secret.from_bytes(bytes([104, 117, 110, 116, 101, 114]))
        with secret.reveal() as view:
            raise ValueError(secret, view)

    done = alone.run(failing, options=["-X", "dev"])
    assert done.returncode == 1
    assert "ValueError: (<Secret memfd_secret>, <released" in done.stderr
    assert "hunter" not in done.stderr
