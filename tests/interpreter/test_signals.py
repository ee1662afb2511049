"""Signals during every operation; handlers of Python and of C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support import alone
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

PROGRAMS = Path(__file__).with_name("programs")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the handler in C."""
    path = tmp_path_factory.mktemp("handler") / "handler.so"
    source = PROGRAMS / "handler.c"
    command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", path, source], check=True)
    return path


@pytest.mark.parametrize("kind", ["python", "c", "fork"])
@pytest.mark.parametrize("faulthandler", [False, True])
def test_a_storm_of_signals(
    kind: str,
    faulthandler: bool,  # noqa: FBT001 - pytest passes it by name
    library: Path,
) -> None:
    """Right results, nothing left; also with a signal stack of others."""
    options = ["-X", "faulthandler"] if faulthandler else []
    seconds = str(times(20) / 10)
    done = subprocess.run(
        [
            *(sys.executable, *options, str(PROGRAMS / "signalled.py")),
            *(kind, seconds, str(library)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"


def test_faulthandler_still_works_after_operations() -> None:
    """The thread's own signal stack is in place again: a dump is written."""

    def crash() -> None:
        import ctypes
        import faulthandler
        import resource

        from secretmem import Secret

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable()
        secret = Secret.from_bytes(b"x" * 100)
        for _ in range(10):
            assert secret.matches(b"x" * 100)
        ctypes.string_at(8)

    done = alone.run(crash)
    assert done.returncode == -11
    assert "Fatal Python error: Segmentation fault" in done.stderr
    assert "in crash" in done.stderr


def test_a_stack_overflow_is_still_reported() -> None:
    """It needs the program's own signal stack, after operations too."""

    def overflow() -> None:
        import faulthandler
        import resource

        from secretmem import Secret

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable()
        with Secret.from_bytes(b"x") as secret:
            assert secret.matches(b"x")
        faulthandler._stack_overflow()  # type: ignore[attr-defined]  # not in its stub

    done = alone.run(overflow)
    assert done.returncode == -11
    assert "Fatal Python error: Segmentation fault" in done.stderr
