"""``secretmem run``: its exit codes, and what it says with them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from launch.command import run
from secretmem.cli.run import CODES


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files with and without a value."""
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "nul").write_bytes(b"a\0b")
    (tmp_path / "empty").touch()
    monkeypatch.chdir(tmp_path)


BEFORE = {
    ("--secret", "A"): 2,
    ("--secret", "=file:token"): 2,
    ("--secret", "A B=file:token"): 2,
    ("--secret", "A=token"): 2,
    ("--secret", "A=file:token", "--secret", "A=file:token"): 2,
    ("--secret", "A=file:token", "--expose", "A"): 2,
    ("--secret", "A=file:token", "--expose", "env:B"): 2,
    ("--secret", "A=file:token", "--expose", "env:A", "--expose", "file:A"): 2,
    ("--sceret", "A=file:token"): 2,
    ("--secret", "A=file:empty"): 65,
    ("--secret", "A=file:token?max_size=3"): 65,
    ("--secret", "A=json:token#a"): 65,
    ("--secret", "A=file:nul", "--expose", "env:A"): 65,
    ("--secret", "A=file:nothing"): 66,
    ("--secret", "A=file:token", "--secret", "B=cmd:false"): 75,
}


@pytest.mark.parametrize("arguments", BEFORE)
def test_what_goes_wrong_before_the_command(
    arguments: tuple[str, ...],
) -> None:
    """A stable exit code, one line that says why, and no content."""
    done = run(*arguments, "--", "echo", "ran")
    assert done.returncode == BEFORE[arguments]
    assert not done.stdout
    assert done.stderr.startswith("secretmem: ")
    assert "Traceback" not in done.stderr
    assert "hunter" not in done.stderr


def test_every_reason_has_a_code() -> None:
    """Those of the class, as its documentation lists them."""
    from secretmem import SourceError

    assert SourceError.__doc__
    words = SourceError.__doc__.split('"')[1::2]
    assert set(CODES) == set(words)


@pytest.mark.parametrize(
    "command, status",
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], -signal.SIGTERM),
        (["no-such-command"], 127),
        (["./no/such"], 127),
        (["./token"], 126),
        (["/"], 126),
        ([], 2),
    ],
)
def test_exit_codes_are_those_of_env(command: list[str], status: int) -> None:
    """The command's own, or what env(1) says."""
    done = run("--secret", "A=file:token", "--", *command)
    assert done.returncode == status, done.stderr


def test_no_secret_was_named() -> None:
    """That is usage."""
    assert run("--", "true").returncode == 2
