"""The command line of `secretmem prove`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import secretmem
from secretmem.prove import attacks
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator


QUICK = ("--only", "proc_mem", "--only", "vmsplice", "--only", "plain_write")
SOURCE = Path(secretmem.__file__).resolve().parents[1]


def run(
    *arguments: str, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run ``secretmem ARGUMENTS``."""
    command = [sys.executable, "-P", "-m", "secretmem.cli.main", *arguments]
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # env, cwd
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        **settings,
    )


def test_help_has_an_example_and_the_exit_codes() -> None:
    """The help shows how it is used."""
    done = run("prove", "--help")
    assert done.returncode == 0
    assert "$ secretmem prove --only gdb" in done.stdout
    assert "69" in done.stdout


def test_the_list_has_every_attack() -> None:
    """--list names and explains every attack, slow ones too."""
    done = run("prove", "--list")
    assert done.returncode == 0
    for attack in attacks.load():
        assert f"{attack.name}: {attack.title}" in done.stdout


@pytest.mark.parametrize(
    "arguments,message",
    [
        (("--only", "moon"), "no attack is called moon; see --list"),
        (("--word-from-fd", "0"), "--word-from-fd needs --hold"),
        (("--json", "/nowhere/x.json"), "no such folder: /nowhere"),
        (("--nonsense",), "no such option"),
        (("surplus",), "got unexpected extra argument"),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    """They cost nothing: exit code 2, one line, nothing is run."""
    done = run("prove", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"secretmem: {message}")


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_rows_verdict_and_exit_code(tmp_path: Path) -> None:
    """A run prints a row for each attack and a sentence, and returns 0."""
    done = run("prove", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    words = {line[:35].strip(): line[35:].split() for line in lines}
    assert words["read /proc/PID/mem"] == [
        "leaked",
        "leaked",
        "refused",
        "EIO",
    ]
    assert words["write(2) from an open view"][-1] == "readable"
    assert "2 attacks read or changed ordinary memory, and none" in lines[-2]
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_json_on_standard_output(tmp_path: Path) -> None:
    """It is alone there; the table is on standard error."""
    done = run("prove", *QUICK, "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == len(QUICK) // 2
    assert "read /proc/PID/mem" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_plain_output_is_plain_and_narrow() -> None:
    """In a pipe there is no colour, and 80 columns are enough."""
    done = run("prove", *QUICK, env={**os.environ, "COLUMNS": "200"})
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_json(tmp_path: Path) -> None:
    """--json writes every cell with its expectation and evidence."""
    file = tmp_path / "out.json"
    assert run("prove", *QUICK, "--json", str(file)).returncode == 0
    data = json.loads(file.read_text("utf-8"))
    assert data["format"] == "secretmem-prove"
    assert data["exit_code"] == 0
    assert [row["name"] for row in data["rows"]] == [
        "proc_mem",
        "vmsplice",
        "plain_write",
    ]
    for row in data["rows"]:
        assert [c["kind"] for c in row["cells"]] == [
            "ordinary",
            "mlocked",
            "secretmem",
        ]
        assert all(c["evidence"] and c["expected"] for c in row["cells"])


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_the_whole_run() -> None:
    """The default set comes out as promised."""
    done = run("prove")
    assert done.returncode == 0, done.stdout


def _without_site(code: str) -> subprocess.CompletedProcess[str]:
    """Run code with the package and the standard library only."""
    start = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); "
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_without_click_and_rich_the_extra_is_named() -> None:
    """The command says what to install, and does not traceback."""
    done = _without_site(
        "from secretmem.cli.main import main; sys.exit(main())"
    )
    assert done.returncode == 69
    assert done.stderr == (
        "secretmem: the command needs click and rich\n"
        "secretmem: hint: pip install 'secretmem[cli]'\n"
    )


def test_the_attacks_need_the_standard_library_only() -> None:
    """`secretmem.prove` can be used without click and rich."""
    done = _without_site(
        "from secretmem.prove import attacks, html, runner, hold; "
        "print(len(attacks.load()))"
    )
    assert done.stdout == f"{len(attacks.NAMES)}\n", done.stderr


def test_a_module_that_is_missing_does_not_break_the_rest() -> None:
    """A command whose module cannot be imported says so; others work."""
    code = (
        "import sys; from secretmem.cli import main; "
        "main.COMMANDS['moon'] = 'go there'; sys.exit(main.main())"
    )
    for arguments, status in ((["moon"], 69), (["--help"], 0)):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == status
        said = done.stdout + done.stderr
        assert "moon" in said
        assert "Traceback" not in said


def test_every_command_of_the_table_can_be_loaded() -> None:
    """Each line of the table has its module, with help of its own."""
    from secretmem.cli import main

    for name in main.COMMANDS:
        assert main.load(name).help


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--version"], f"secretmem, version {version('secretmem')}\n"),
        (["--help"], "  $ secretmem doctor\n"),
        (["model", "--help"], "  $ secretmem model plan --secrets 100000"),
    ],
)
def test_what_the_program_says_of_itself(
    arguments: list[str], said: str
) -> None:
    """Its version, and an example of its use."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "secretmem.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert said in done.stdout


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, and even SIGKILL, leave no process; Ctrl-C leaves no file."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "secretmem.cli.main", "prove"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if "process_vm_readv" in line:
                break
        nurseries = list(_pidfds(_children(program.pid)))
        assert nurseries
        if number is signal.SIGINT:
            os.killpg(program.pid, number)
        else:
            program.kill()
        _, said = program.communicate(timeout=PATIENCE)
    for pidfd in nurseries:
        assert select.select([pidfd], [], [], PATIENCE)[0]
        os.close(pidfd)
    if number is signal.SIGINT:
        assert program.returncode == 130, said
        assert said.lstrip() == "secretmem: interrupted\n"
        assert list(tmp_path.iterdir()) == []


def _pidfds(pids: list[int]) -> Iterator[int]:
    """Open each; an attacker among them may have ended meanwhile."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            yield os.pidfd_open(pid)


def _children(pid: int) -> list[int]:
    """Return the process ids of the children of a process."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text("ascii").split()]
