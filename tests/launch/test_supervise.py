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

from launch.command import RUN
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem

# Says its value, and which signals it gets.
TELLS = """
import signal, sys
import secretmem
def tell(*words):
    print(*words, flush=True)
heard = {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
secret = secretmem.inherited("A")
tell("has", secretmem.hazmat.export_str(secret))
while (number := signal.sigwait(heard)) != signal.SIGTERM:
    tell(signal.Signals(number).name)
tell("SIGTERM")
sys.exit(int(sys.argv[1]))
"""


class Running:
    """A parent, and what its command says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said = b""

    def says(self) -> str:
        """Give the next line; several may have come at once."""
        assert self.process.stdout
        fd = self.process.stdout.fileno()
        while b"\n" not in self._said:
            assert select.select([fd], [], [], PATIENCE)[0]
            part = os.read(fd, 4096)
            assert part, "it has ended"
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def end(self) -> tuple[int, str]:
        """Wait for the end; gives the code and what the parent said."""
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@contextmanager
def started(
    *arguments: str, program: tuple[str, ...] = RUN[1:]
) -> Iterator[Running]:
    """Start a parent; it is killed at the end of the block if need be."""
    with subprocess.Popen(
        [sys.executable, *program, *arguments],
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


_DUMPABLE = "ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)"  # PR_GET_DUMPABLE
_SAYS_AT_ITS_END = f"""
import atexit, ctypes, sys
from secretmem.cli.main import main
atexit.register(lambda: print({_DUMPABLE}, file=sys.stderr))
sys.exit(main())
"""


@pytest.mark.usefixtures("token")
def test_the_parent_is_not_dumpable() -> None:
    """The command is."""
    code = f"import ctypes; print({_DUMPABLE}, flush=True)"
    command = ("--restart", "--", sys.executable, "-c", code)
    program = ("-c", _SAYS_AT_ITS_END, "run")
    options = ("--secret", "A=file:token", *command)
    with started(*options, program=program) as running:
        assert running.says() == "1"
        assert running.end() == (0, "0\n")


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


def test_what_changes_while_it_is_read_is_seen(token: Path) -> None:
    """The next look finds it, and so does one right after the start."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from secretmem.launch import prepare\n"
        "from secretmem.launch.plan import Plan\n"
        "real, todo = prepare.Prepared.__init__, ['two', '', 'three']\n"
        "def late(self, plan):\n"
        "    try:\n"
        "        real(self, plan)\n"
        "    finally:\n"
        "        if todo:\n"
        "            Path('token').write_text(todo.pop(0))\n"
        "prepare.Prepared.__init__ = late\n"
        "from secretmem.cli.main import main\n"
        "sys.exit(main())\n"
    )
    assert token.exists()
    options = ("--reload", "--interval", "0.05")
    with started(*_tells(*options), program=("-c", code, "run")) as running:
        # One that is started may be ended before it says anything.
        while running.says() != "has three":
            pass
        running.process.terminate()
        running.says()
        running.end()


def test_where_the_ends_of_children_are_ignored(token: Path) -> None:
    """SIG_IGN of SIGCHLD is inherited; the end is seen all the same."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, '-P', '-m',"
        " 'secretmem.cli.main', *sys.argv[1:]])\n"
    )
    words = ("--restart", "--secret", f"A=file:{token}", "--", "true")
    with started(*words, program=("-c", code, "run")) as running:
        assert running.end() == (0, "")


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
    """Orphans' ends are taken: a process that nobody waits for would stay."""
    orphan = token.with_name("orphan")
    script = (
        f"(sleep 0.2 & echo $! >{orphan}); "
        f"while test -e /proc/$(cat {orphan}); do sleep 0.05; done; echo gone"
    )
    with subprocess.Popen(
        [
            *("unshare", "--pid", "--fork", "--mount-proc", *RUN),
            *("--restart", "--secret", f"A=file:{token}", "--"),
            *("sh", "-c", script),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.communicate(timeout=PATIENCE)[0] == "gone\n"
        assert process.returncode == 0
