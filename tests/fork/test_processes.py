"""multiprocessing, subprocess and exec, with secrets about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support import alone
from support.patience import PATIENCE


pytestmark = pytest.mark.needs_secretmem


def test_multiprocessing_by_fork() -> None:
    """What the child inherits by its closure: as after os.fork."""

    def forking() -> None:
        import multiprocessing
        from typing import Any

        from secretmem import ForkError, Secret

        given = Secret.from_bytes(b"given", inherit=True)
        private = Secret.from_bytes(b"private")

        def work(number: int) -> None:
            assert given.matches(b"given")
            try:
                private.matches(b"private")
            except ForkError:
                pass
            else:
                raise AssertionError
            with Secret.from_bytes(b"own") as own:
                assert own.matches(b"own")
            raise SystemExit(number)

        context: Any = multiprocessing.get_context("fork")
        started = [context.Process(target=work, args=[n]) for n in range(8)]
        for process in started:
            process.start()
        for number, process in enumerate(started):
            process.join()
            assert process.exitcode == number
        assert private.matches(b"private")

    alone.passes(forking)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing_by_other_ways(method: str) -> None:
    """The child makes its own; arguments: see tests/handover."""

    def spawning(method: str) -> None:
        import multiprocessing
        from typing import Any

        from secretmem import Secret

        given = Secret.from_bytes(b"given", inherit=True)
        context: Any = multiprocessing.get_context(method)
        code = (
            "from secretmem import Secret\n"
            "with Secret.from_bytes(b'own') as own:\n"
            "    assert own.matches(b'own')\n"
        )
        process = context.Process(target=exec, args=[code])
        process.start()
        process.join()
        assert process.exitcode == 0
        assert given.matches(b"given")

    alone.passes(spawning, method)


def test_a_pool_of_forked_workers() -> None:
    """Tasks use an inherited secret that the module holds."""
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("programs") / "pool.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr


def test_subprocess() -> None:
    """The program that is started has nothing of it."""

    def started() -> None:
        import os
        import subprocess
        import sys

        from secretmem import Secret

        secrets = [Secret.from_bytes(b"x"), Secret.random(9, inherit=True)]
        code = (
            "import os;"
            "maps = open('/proc/self/maps').read();"
            "assert 'secretmem (deleted)' not in maps;"
            "links = [os.readlink(f'/proc/self/fd/{n}')"
            "  for n in os.listdir('/proc/self/fd') if n in '012'];"
            "assert not any('secretmem' in link for link in links)"
        )
        with secrets[0].reveal() as view, secrets[1].reveal(writable=True):
            for options in (
                {},
                {"close_fds": False},
                {"preexec_fn": lambda: None},
                {"preexec_fn": secrets[0].close},
            ):
                subprocess.run(
                    [sys.executable, "-c", code], check=True, **options
                )
            assert bytes(view) == b"x"
        pid = os.posix_spawn(
            sys.executable, [sys.executable, "-c", code], os.environ
        )
        assert os.waitpid(pid, 0)[1] == 0
        assert not secrets[0].closed
        assert secrets[0].matches(b"x")

    alone.passes(started)


def test_exec_takes_everything_away() -> None:
    """Also with views open."""

    def replaced() -> None:
        import os
        import sys

        from secretmem import Secret

        view = Secret.from_bytes(b"x" * 5000).reveal()
        view.__enter__()
        code = (
            "import sys;"
            "maps = open('/proc/self/maps').read();"
            "sys.exit('secretmem (deleted)' in maps)"
        )
        os.execv(sys.executable, [sys.executable, "-c", code])  # noqa: S606 - without a shell, as it is

    alone.passes(replaced)


def test_a_secret_is_written_to_a_child_through_a_pipe() -> None:
    """The way to hand one to another program today."""

    def handed() -> None:
        import subprocess
        import sys

        from secretmem import Secret

        code = (
            "from secretmem import Secret;"
            "assert Secret.from_fd(0).matches('handed over')"
        )
        secret = Secret.from_bytes(b"handed over")
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE
        ) as child:
            assert child.stdin is not None
            secret.write_to(child.stdin)
            child.stdin.close()
            assert child.wait() == 0

    alone.passes(handed)
