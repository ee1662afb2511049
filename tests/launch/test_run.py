"""``secretmem run``: what the command gets, and how it all ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launch.command import RUN, run
from support import unprivileged


pytestmark = pytest.mark.needs_secretmem

# Says what a command was given.
# Signals 1 to 31. The C library keeps 32 and 33 to itself, and make(1) starts
# its commands with those ignored.
_USUAL = (1 << 31) - 1

SEEN = """
import json, os, sys
fds = {}
for name in os.listdir("/proc/self/fd"):
    try:
        fds[name] = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        pass
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "fds": fds, "pid": os.getpid(), "group": os.getpgrp(),
    "session": os.getsid(0), "variables": dict(os.environ),
    "ignored": status["SigIgn"].strip(), "argv": sys.argv,
}))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file with a value."""
    (tmp_path / "token").write_text("hunter2\n")
    monkeypatch.chdir(tmp_path)


def test_the_command_is_this_very_process() -> None:
    """Process, group, session and arguments are as with env(1)."""
    with subprocess.Popen(
        # What follows the command is the command's.
        [
            *(*RUN, "--secret", "A=file:token", "--"),
            *(sys.executable, "-c", SEEN, "--secret", "x", "--help", "--"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        seen = json.loads(child.communicate()[0])
    assert seen["pid"] == child.pid
    assert seen["group"] == os.getpgrp()
    assert seen["session"] == os.getsid(0)
    assert seen["argv"] == ["-c", "--secret", "x", "--help", "--"]
    # Python ignores two signals by itself, 13 and 25, in SEEN too.
    assert int(seen["ignored"], 16) & _USUAL == 1 << 12 | 1 << 24


def test_signals_have_their_default_action() -> None:
    """What Python ignores the command does not."""
    done = run(
        "--secret", "A=file:token", "--", "grep", "SigIgn", "/proc/self/status"
    )
    name, ignored = done.stdout.split()
    assert name == "SigIgn:"
    assert int(ignored, 16) & _USUAL == 0


def test_the_command_gets_descriptors_and_no_variable() -> None:
    """One for each secret, and no other that was opened on the way."""
    reader, writer = os.pipe()
    os.write(writer, b"by a pipe")
    os.close(writer)
    command = [*RUN, "--secret", "A=file:token", "--secret", f"B=fd:{reader}"]
    command += ["--secret", "C=cmd:cat token", "--", sys.executable]
    done = subprocess.run(
        [*command, "-c", SEEN],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        pass_fds=[reader],
        env={**os.environ, "SECRETMEM_FDS": "STALE=3"},
    )
    os.close(reader)
    assert b"hunter2" not in done.stdout
    seen = json.loads(done.stdout)
    listed = dict(
        item.split("=")
        for item in seen["variables"]["SECRETMEM_FDS"].split(":")
    )
    assert sorted(listed) == ["A", "B", "C"]
    secret = [fd for fd, to in seen["fds"].items() if "secretmem" in to]
    assert sorted(secret) == sorted(listed.values())
    assert str(reader) not in seen["fds"]


def test_descriptors_of_sources_inside_sources_are_not_passed_on() -> None:
    """Such as the one with the identity of an encrypted source."""
    from secretmem import age, hazmat

    with age.Identity.generate() as identity, identity.text() as text:
        Path("token.age").write_bytes(
            age.encrypt(b"word", [identity.recipient])
        )
        reader, writer = os.pipe()
        os.write(writer, hazmat.export_bytes(text))
        os.close(writer)
    source = f"A=age:cmd:cat token.age?identity=fd:{reader}"
    done = subprocess.run(
        [*RUN, "--secret", source, "--", sys.executable, "-c", SEEN],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        pass_fds=[reader],
    )
    os.close(reader)
    assert str(reader) not in json.loads(done.stdout)["fds"]


def test_the_command_takes_them_by_name() -> None:
    """And closes what it has taken."""
    code = (
        "import secretmem, os\n"
        "from secretmem import handover\n"
        "assert handover.inherited_names() == ['A', 'B']\n"
        "a = secretmem.inherited('A', inherit=True)\n"
        "assert a.matches('hunter2\\n') and a.name == 'A' and a.inherit\n"
        "assert secretmem.inherited('A') is a\n"
        "assert 'SECRETMEM_FDS' not in os.environ\n"
        "left = [os.readlink(f'/proc/self/fd/{n}') for n in range(3, 9)"
        " if os.path.lexists(f'/proc/self/fd/{n}')]\n"
        "assert sum('secretmem' in each for each in left) == 1, left\n"
        "assert os.fork() or not os.execvp('sh', ['sh', '-c',"
        " 'ls -l /proc/self/fd | grep -c secretmem'])\n"
        "os.wait()\n"
        "a.close()\n"
        "for name in ('A', 'C'):\n"
        "    try: secretmem.inherited(name)\n"
        "    except LookupError as error: print(error)\n"
    )
    done = run(
        *("--secret", "A=file:token", "--secret", "B=cmd:echo b", "--"),
        *(sys.executable, "-c", code),
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["0", "the inherited secret 'A' was closed"], done
    assert lines[2].startswith("no secret 'C' was inherited; there are: A, B")


@pytest.mark.parametrize(
    "text", ["A", "A=", "=3", "A=x", "A=3:", "A=-1", "A=9999999999"]
)
def test_a_variable_that_is_not_well_written(text: str) -> None:
    """ValueError, and no descriptor is touched."""
    code = (
        "import secretmem\n"
        "try: secretmem.inherited('A')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SECRETMEM_FDS": text},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "NAME=FD" in done.stdout


def test_two_names_for_one_descriptor() -> None:
    """The second would be whatever has the number by then."""
    code = (
        "import secretmem\n"
        "for _ in range(2):\n"
        "    try: secretmem.inherited('A')\n"
        "    except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SECRETMEM_FDS": "A=3:B=03"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("two names for one descriptor") == 2


def test_where_standard_descriptors_are_closed() -> None:
    """No secret has their numbers: the command would write over it."""
    code = (
        "import json, os\n"
        "seen = [os.readlink(f'/proc/self/fd/{fd}') for fd in range(3)]\n"
        "seen.append(os.environ['SECRETMEM_FDS'])\n"
        "json.dump(seen, open('seen', 'w'))\n"
    )
    closed = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    subprocess.run(
        [
            *(*closed, *RUN, "--secret", "A=file:token", "--"),
            *(sys.executable, "-c", code),
        ],
        check=True,
    )
    seen = Path("seen").read_text("utf-8")
    *standard, passed = json.loads(seen)
    assert standard == [os.devnull] * 3
    assert int(passed.removeprefix("A=")) > 2


def test_a_descriptor_that_is_not_there() -> None:
    """The error of the system; many threads that ask get one Secret."""
    code = (
        "import secretmem, threading, os\n"
        "from secretmem import Secret, handover\n"
        "fd = handover.to_descriptor(Secret.from_bytes(b'x'))\n"
        "os.environ['SECRETMEM_FDS'] = f'A=99:B={fd}'\n"
        "try: secretmem.inherited('A')\n"
        "except OSError as error: print(error)\n"
        "got = []\n"
        "take = lambda: got.append(secretmem.inherited('B'))\n"
        "threads = [threading.Thread(target=take) for _ in range(8)]\n"
        "[each.start() for each in threads]\n"
        "[each.join() for each in threads]\n"
        "print(len(got), len(set(map(id, got))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    said, counts = done.stdout.splitlines()
    assert said.startswith("[Errno 9] descriptor 99 of the inherited secret")
    assert counts == "8 1"


def test_a_secret_can_be_exposed() -> None:
    """By name, with a warning that says what is lost."""
    done = run(
        *("--secret", "A=env:GIVEN", "--secret", "B=file:token"),
        *("--expose", "env:A", "--expose", "file:B", "--", "sh", "-c"),
        'echo "$A ${GIVEN-none} ${SECRETMEM_FDS-none}"; cat "$B_FILE"; '
        'cat "$B_FILE"; echo x > "$B_FILE" || echo sealed',
        GIVEN="word",
    )
    assert done.stdout == "word none none\nhunter2\nhunter2\nsealed\n"
    said = done.stderr
    assert "A is in the command's environment: /proc/PID/environ" in said
    assert "B is in an ordinary file in memory (B_FILE" in said
    assert "os.environ copied the variable GIVEN" in said
    assert "word" not in said


def test_a_signal_reaches_the_command() -> None:
    """Which is the very process."""
    script = (
        "trap 'echo got; exit 3' TERM; echo on; while :; do sleep .1; done"
    )
    with subprocess.Popen(
        [*RUN, "--secret", "A=file:token", "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "on\n"
        child.terminate()
        assert child.communicate()[0] == "got\n"
        assert child.returncode == 3


@pytest.mark.needs_root
@pytest.mark.needs_tool("unshare")
def test_as_the_first_process_of_a_container() -> None:
    """In a process namespace of its own the command is number 1."""
    done = subprocess.run(
        [
            *("unshare", "--pid", "--fork", "--mount-proc", *RUN),
            *("--secret", "A=file:token", "--", "sh", "-c"),
            "echo $$; cat token",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\nhunter2\n"


@pytest.mark.needs_unprivileged
def test_without_privileges(tmp_path: Path) -> None:
    """And with a limit of 64 KiB, as containers have it."""
    path = tmp_path / "readable"
    path.write_text("word")
    for each in (path, *list(path.parents)[:-2]):
        each.chmod(each.stat().st_mode | 0o055)
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "from secretmem.cli.main import main\n"
        "sys.exit(main())"
    )
    inner = "import secretmem; print(len(secretmem.inherited('A')))"
    done = unprivileged.run(
        *("-c", code, "run", "--secret", f"A=file:{path}", "--"),
        *(unprivileged.interpreter() or "", "-c", inner),
    )
    assert done.stdout == "4\n", done.stderr


def test_it_is_fast_enough_to_be_an_entry_point() -> None:
    """No program of the package but this one is loaded; no time is tested."""
    code = "import secretmem.cli.run, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    for name in ("rich", "asyncio", "secretmem.prove", "secretmem.model"):
        assert name not in loaded
