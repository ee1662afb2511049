"""Races between a parent that closes and children that use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support import alone
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

PROGRAMS = Path(__file__).with_name("programs")


def run(name: str, *arguments: str | int) -> str:
    """Run a program; it must end well."""
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("size", [32, 4000, 200_000])
@pytest.mark.parametrize("pages", ["own", "shared"])
def test_a_closed_secret_is_closed_never_zeros(size: int, pages: str) -> None:
    """Every child has the content or ClosedError; both happen."""
    rounds = times(60, least=20)
    saw, closed = map(int, run("close_race.py", rounds, size, pages).split())
    assert saw + closed >= 2 * rounds
    assert saw
    assert closed


def test_fork_while_threads_work() -> None:
    """The locks of other threads do not hang the child."""
    run("busy_forks.py", times(40, least=15))


def test_fork_from_other_threads() -> None:
    """Several at once; the forking thread is the child's only one."""

    def forking(rounds: int) -> None:
        import os
        import threading
        import warnings

        from secretmem import Secret

        warnings.simplefilter("ignore", DeprecationWarning)
        given = Secret.from_bytes(b"given", inherit=True)
        failed: list[object] = []

        def work() -> None:
            for number in range(rounds):
                with Secret.from_bytes(b"%d" % number, inherit=True) as mine:
                    pid = os.fork()
                    if not pid:
                        fine = given.matches(b"given")
                        fine &= mine.matches(b"%d" % number)
                        os._exit(0 if fine else 1)
                    status = os.waitpid(pid, 0)[1]
                    if status:
                        failed.append(status)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed
        assert given.matches(b"given")

    alone.passes(forking, times(15, least=8), timeout=600)
