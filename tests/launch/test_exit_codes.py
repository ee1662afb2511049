"""``secretmem run``: its exit codes, and what it says with them."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from launch.command import RUN, run
from secretmem.cli.run import CODES
from support import filters, unprivileged


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files with and without a value."""
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0hunter2")
    (tmp_path / "no-field").write_text('{"b": "hunter2"}')
    (tmp_path / "large").write_text(f'{{"a": "{"hunter2" * 10_000}"}}')
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "token.age").write_bytes(b"age-encryption.org/v1\n")
    (tmp_path / "empty").touch()
    monkeypatch.chdir(tmp_path)


USAGE: tuple[tuple[str, ...], ...] = (
    ("--secret", "A"),
    ("--secret", "=file:token"),
    ("--secret", "A B=file:token"),
    ("--secret", "A=file:token", "--secret", "A=file:token"),
    ("--secret", "A=file:token", "--expose", "A"),
    ("--secret", "A=file:token", "--expose", "env:B"),
    ("--secret", "A=file:token", "--expose", "env:A", "--expose", "file:A"),
    ("--sceret", "A=file:token"),
    ("--secret", "A=file:token", "--interval", "3"),
    ("--secret", "\udcff=file:token"),
)

SOURCES = {
    "token": 2,
    "valt:db": 2,
    "file:token?trim": 2,
    "json:token": 2,
    "age:token": 2,
    "json:" * 9 + "token" + "#a" * 9: 2,
    "file:empty": 65,
    "cmd:true": 65,
    "json:no-field#a": 65,
    "json:token#a": 65,
    "json:binary#a": 65,
    "json:large#a": 65,
    "dotenv:binary#A": 65,
    "file:token?max_size=3": 65,
    "cmd:yes": 65,
    "file:token?encoding=base64": 65,
    "file:binary?encoding=hex": 65,
    "file:.": 65,
    "age:token?identity=token": 65,
    "age:cmd:cat token?identity=token": 65,
    "file:nothing": 66,
    "file:\udcff": 66,
    "file:token/x": 66,
    "file:circle": 66,
    "json:valt:db#password": 66,
    "age:token.age?identity=nothing": 66,
    "cmd:no-such-program": 66,
    "env:NO_SUCH_VARIABLE": 66,
    "credential:token": 66,
    "docker:no-such-secret": 66,
    "k8s:nowhere/token": 66,
    "fd:99": 66,
    "prompt:Password": 66,
    "cmd:false": 75,
    "cmd:cat nothing": 75,
    "sh:kill -KILL $$": 75,
    "cmd:./token": 77,
}


def _failed(code: int, *arguments: str) -> None:
    """Check a stable exit code, and lines that say why and what to do."""
    done = run(*arguments, "--", "echo", "ran", CREDENTIALS_DIRECTORY="")
    assert done.returncode == code, done.stderr
    assert not done.stdout
    lines = done.stderr.splitlines()
    # What a command of the source's says is its own.
    ours = [line for line in lines if not line.startswith("cat: ")]
    assert all(line.startswith("secretmem: ") for line in ours), lines
    assert "hunter" not in done.stderr
    if code not in (2, 65) or "encrypted" in done.stderr:
        assert "hint: " in ours[-1]


@pytest.mark.parametrize("arguments", USAGE)
def test_what_is_wrong_with_the_arguments(arguments: tuple[str, ...]) -> None:
    """Status 2."""
    _failed(2, *arguments)


@pytest.mark.parametrize("source", SOURCES)
def test_what_cannot_be_had(source: str) -> None:
    """Each has its status, and no content is shown."""
    _failed(SOURCES[source], "--secret", f"A={source}")


def test_nothing_runs_when_one_of_them_cannot_be_had() -> None:
    """Also the last, and one that cannot be exposed."""
    both = ("--secret", "A=file:token", "--secret")
    _failed(75, *both, "B=cmd:false")
    _failed(65, *both, "B=file:binary", "--expose", "env:B")


@pytest.mark.parametrize("action", ["EPERM", "ENOSYS", "kill-process"])
def test_without_secret_memory(action: str) -> None:
    """Status 69, and what to do about it."""
    command = [*RUN, "--secret", "A=file:token", "--", "echo", "ran"]
    done = subprocess.run(
        filters.command(action, command),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 69, done.stderr
    assert done.stderr.startswith("secretmem: no secret memory here: ")
    assert "hint: " in done.stderr
    assert not done.stdout


@pytest.mark.needs_unprivileged
def test_what_the_system_refuses(tmp_path: Path) -> None:
    """77 for a file of somebody else, 71 without memory that can be locked."""
    (tmp_path / "private").touch(mode=0)
    for each in (tmp_path, *list(tmp_path.parents)[:-2]):
        each.chmod(each.stat().st_mode | 0o055)
    code = (
        "import resource, sys\n"
        "limit = int(sys.argv.pop(1))\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))\n"
        "from secretmem.cli.main import main\n"
        "sys.exit(main())"
    )
    for file, limit, status in (("private", 65536, 77), ("token", 0, 71)):
        done = unprivileged.run(
            *("-c", code, str(limit), "run", "--secret"),
            *(f"A=file:{tmp_path}/{file}", "--", "true"),
        )
        assert done.returncode == status, done.stderr
        assert done.stderr.startswith("secretmem: ")
        assert "Traceback" not in done.stderr


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
