"""``secretmem run --restart`` and ``--reload``: a parent that stays."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem

RUN = (sys.executable, "-P", "-m", "secretmem.cli.main", "run")

# Says its value, and which signals it gets.
TELLS = """
import os, signal, sys
import secretmem
def tell(*words):
    print(*words, flush=True)
def got(number, frame):
    tell(signal.Signals(number).name)
    if number == signal.SIGTERM:
        sys.exit(int(sys.argv[1]))
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, got)
secret = secretmem.inherited("A")
tell("has", secretmem.hazmat.export_str(secret))
while True:
    signal.pause()
"""


class Running:
    """A parent, and what its command says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def says(self) -> str:
        """Give the next line."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], 60)[0]
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, str]:
        """Wait for the end; gives the code and what the parent said."""
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@contextmanager
def started(*arguments: str) -> Iterator[Running]:
    """Start a parent; it is killed at the end of the block if need be."""
    with subprocess.Popen(
        [*RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a file with a value."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "token"
    path.write_text("one")
    return path


def _tells(*options: str, code: int = 3) -> tuple[str, ...]:
    command = (sys.executable, "-c", TELLS, str(code))
    return ("--secret", "A=file:token", *options, "--", *command)


@pytest.mark.usefixtures("token")
def test_signals_are_passed_on_and_the_code_is_the_commands() -> None:
    """Also when it is to be started again after a failure."""
    with started(*_tells("--restart")) as running:
        assert running.says() == "has one"
        for number in (signal.SIGUSR1, signal.SIGHUP):
            running.process.send_signal(number)
            assert running.says() == number.name
        running.process.terminate()
        assert running.says() == "SIGTERM"
        assert running.end() == (3, "")


def test_new_values_start_it_again(token: Path) -> None:
    """When the file changes, and after SIGHUP, whose value it then has."""
    with started(*_tells("--reload", "--interval", "0.05")) as running:
        assert running.says() == "has one"
        fresh = token.with_name("fresh")
        fresh.write_text("two")
        fresh.rename(token)
        assert running.says() == "SIGTERM"
        assert running.says() == "has two"
        running.process.send_signal(signal.SIGHUP)
        assert running.says() == "SIGTERM"
        assert running.says() == "has two"
        running.process.terminate()
        assert running.says() == "SIGTERM"
        code, said = running.end()
    assert code == 3
    assert said.count("started again with new values") == 2


def test_a_source_that_is_gone_changes_nothing(token: Path) -> None:
    """The command keeps running with what it has."""
    with started(*_tells("--reload", "--interval", "0.05")) as running:
        assert running.says() == "has one"
        token.unlink()
        running.process.send_signal(signal.SIGHUP)
        running.process.send_signal(signal.SIGUSR1)
        assert running.says() == "SIGUSR1"
        token.write_text("two")
        assert running.says() == "SIGTERM"
        assert running.says() == "has two"
        running.process.terminate()
        running.says()
        _, said = running.end()
    assert "the command keeps what it has: file:token: ENOENT" in said


def test_no_descriptor_stays_in_the_parent(token: Path) -> None:
    """Who attaches to it finds nothing."""
    assert token.exists()
    with started(*_tells("--restart", "--reload")) as running:
        assert running.says() == "has one"
        folder = Path(f"/proc/{running.process.pid}/fd")
        links = [os.readlink(each) for each in folder.iterdir()]  # noqa: PTH115 - they lead nowhere
        assert not any("secretmem" in link for link in links)
        running.process.terminate()
        running.says()
        running.end()


def test_a_failure_starts_it_again(token: Path) -> None:
    """After a pause; a success ends it."""
    script = "test -e ran && exit 0; touch ran; exit 9"
    secret = ("--secret", f"A=file:{token}")
    begin = time.monotonic()
    with started("--restart", *secret, "--", "sh", "-c", script) as running:
        code, said = running.end()
    assert code == 0
    assert said == (
        "secretmem: the command ended with 9; it is started again in 1 s\n"
    )
    assert time.monotonic() - begin > 1


def test_the_end_during_the_pause(token: Path) -> None:
    """The signal ends the parent; the code is that of the failure."""
    secret = ("--secret", f"A=file:{token}")
    with started("--restart", *secret, "--", "sh", "-c", "kill $$") as running:
        assert running.process.stderr
        assert "128" not in running.process.stderr.readline()
        running.process.terminate()
        code, _ = running.end()
    assert code == 128 + signal.SIGTERM


@pytest.mark.parametrize("option", ["--restart", "--reload"])
@pytest.mark.parametrize(
    "source", ["env:HOME", "fd:0", "prompt:", "json:fd:0#a"]
)
def test_what_can_be_read_once_is_refused(source: str, option: str) -> None:
    """Before anything is read."""
    with started(option, "--secret", f"A={source}", "--", "true") as running:
        code, said = running.end()
    assert code == 2
    assert "only once" in said


@pytest.mark.usefixtures("token")
def test_a_command_that_is_not_there() -> None:
    """The same codes as without a parent."""
    secret = ("--secret", "A=file:token")
    for command, expected in (("no-such", 127), ("./token", 126)):
        with started("--restart", *secret, "--", command) as running:
            assert running.end()[0] == expected


@pytest.mark.needs_root
@pytest.mark.needs_tool("unshare")
def test_as_the_first_process_of_a_container(token: Path) -> None:
    """Orphans' ends are taken, and SIGTERM ends it all."""
    script = "(sleep 0.2 & ) ; sleep 0.6; ls /proc | grep -c '^[0-9]'"
    with subprocess.Popen(
        [
            *("unshare", "--pid", "--fork", "--mount-proc", *RUN),
            *("--restart", "--secret", f"A=file:{token}", "--"),
            *("sh", "-c", script),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        # The parent, the shell, ls and grep: no sleep that nobody waits for.
        assert process.communicate(timeout=60)[0] == "4\n"
        assert process.returncode == 0
