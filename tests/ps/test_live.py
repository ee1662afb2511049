"""``secretmem ps`` on this machine, with real holders."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from secretmem.ps import Process, look
from support import holders, unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PS = "from secretmem.cli.ps import command; command()"


def _find(pid: int) -> Process | None:
    found = [each for each in look().census.processes if each.pid == pid]
    return found[0] if found else None


def _ps(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )


def _of(pid: int, report: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each for each in report["processes"] if each["pid"] == pid]
    return dict(found)


@pytest.mark.needs_secretmem
def test_area_is_seen_and_gone_afterwards() -> None:
    """Mapped, resident, descriptor: each in its own column."""
    with holders.holding("area", 10) as pid:
        found = _find(pid)
    assert found is not None
    assert (found.mapped, found.resident, found.held) == (40960, 8192, 0)
    assert (found.share, found.descriptors) == (8192, 1)
    assert len(found.files) == 1
    assert _find(pid) is None


@pytest.mark.needs_secretmem
def test_descriptor_alone_is_seen() -> None:
    """It blocks hibernation as much as a mapping does."""
    with holders.holding("descriptor", 3) as pid:
        report = look()
    (found,) = [e for e in report.census.processes if e.pid == pid]
    assert (found.mapped, found.held, found.descriptors) == (0, 12288, 1)
    blocked = report.as_dict()["hibernation"]
    assert isinstance(blocked, dict)
    assert pid in blocked["blocked_by"]
    row = next(line for line in report.lines() if f" {pid} " in line)
    assert "(12 KiB)" in row


@pytest.mark.needs_secretmem
def test_age_of_a_descriptor() -> None:
    """A secretmem file keeps the time at which it was made."""
    before = time.time()
    with holders.holding("descriptor") as pid:
        found = _find(pid)
        after = time.time()
    assert found is not None
    assert found.since is not None
    assert found.since_of == "file"
    # The kernel's clock of file times ticks a few milliseconds behind.
    assert before - 1 <= found.since <= after


@pytest.mark.needs_secretmem
@pytest.mark.needs_root
def test_age_of_a_mapping_for_root() -> None:
    """Root reads it through map_files."""
    with holders.holding("closed") as pid:
        found = _find(pid)
    assert found is not None
    assert found.since_of == "file"
    assert found.descriptors == 0


@pytest.mark.needs_secretmem
@pytest.mark.needs_unprivileged
def test_other_users_are_counted_but_not_seen() -> None:
    """An unprivileged reader is told what he cannot see."""
    with holders.holding("area", private=True) as pid:
        child = unprivileged.run("-c", PS, "--json")
    assert child.stderr == ""
    report = json.loads(child.stdout)
    assert pid in report["hidden"]
    assert pid in report["hidden_descriptors"]
    assert all(each["pid"] != pid for each in report["processes"])


@pytest.mark.needs_secretmem
@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_own_processes_are_seen_without_privileges() -> None:
    """And the age of a closed file is bounded by the process's start."""
    python = unprivileged.interpreter()
    assert python is not None
    nobody = unprivileged.NOBODY
    with holders.holding("closed", uid=nobody, python=python) as pid:
        child = unprivileged.run("-c", PS, "--json")
    found = _of(pid, json.loads(child.stdout))
    assert found["mapped"] == 16384
    assert found["since_of"] == "process"
    started = datetime.fromisoformat(found["since"])
    assert abs(datetime.now(UTC) - started).total_seconds() < 3600


@pytest.mark.needs_secretmem
@pytest.mark.needs_network_none
@pytest.mark.needs_tool("unshare")
def test_container_sees_its_own_processes_only() -> None:
    """In a PID namespace with its own /proc the others do not exist."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    wrap = ["unshare", *user, "--pid", "--mount", "--fork", "--mount-proc"]
    with holders.holding("area"):
        child = subprocess.run(
            [*wrap, sys.executable, "-c", PS, "--json"],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    report = json.loads(child.stdout)
    assert report["seen"] == 1
    assert report["processes"] == []


@pytest.mark.needs_secretmem
def test_watch_prints_again() -> None:
    """One line of JSON for each look."""
    with holders.holding("area") as pid:
        child = _ps("--json", "--watch", "0.1", "--count", "3")
    reports = [json.loads(line) for line in child.stdout.splitlines()]
    assert len(reports) == 3
    assert all(_of(pid, each)["mapped"] == 16384 for each in reports)


def test_interrupt_ends_the_watch_without_failure() -> None:
    """It is the usual way out."""
    child = subprocess.Popen(
        [sys.executable, "-c", PS, "--watch", "60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "\n":  # ends a look
                break
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, said) == (0, "")


def test_count_without_watch_is_a_usage_error() -> None:
    """One look is what it does without either."""
    child = subprocess.run(
        [sys.executable, "-c", PS, "--count", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert child.returncode == 2
    assert "--watch" in child.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_sentences_fit_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are wrapped, and nothing of them is left out."""
    monkeypatch.setenv("COLUMNS", str(columns))
    _, _, text = _ps().stdout.rpartition("\n\n")
    assert all(len(line) < columns for line in text.splitlines())
    joined = " ".join(text.split())
    assert "Hibernation: " in joined
    assert "joined again: " in joined or "not shown on this" in joined


def test_watch_text_separates_the_looks() -> None:
    """A pipe gets no control characters."""
    child = _ps("--watch", "0.1", "--count", "2")
    assert child.stdout.count("Direct map:") == 2
    assert "\x1b" not in child.stdout


@pytest.mark.needs_secretmem
def test_table_for_people() -> None:
    """The row names process, user and sizes."""
    with holders.holding("area", 10) as pid:
        child = _ps()
    head = child.stdout.splitlines()[0]
    assert head.split()[:3] == ["PID", "USER", "MAPPED"]
    row = next(
        line for line in child.stdout.splitlines() if f" {pid} " in line
    )
    assert "40 KiB" in row
    assert "8 KiB" in row


def test_help_has_an_example() -> None:
    """The help shows a command to copy and the exit codes."""
    child = _ps("--help")
    assert "$ sudo secretmem ps --watch 5" in child.stdout
    assert "69 there is no /proc" in child.stdout


# In a root directory of its own, where a file may be called /secretmem.
_IMPOSTOR = """
import os, subprocess, sys
from secretmem.ps import Proc
root = sys.argv[1]
os.mkdir(f"{root}/proc")
subprocess.run(["mount", "--rbind", "/proc", f"{root}/proc"], check=True)
os.chroot(root)
file = open("/secretmem", "w+b")
os.unlink("/secretmem")
print(os.readlink(f"/proc/self/fd/{file.fileno()}"))
print(Proc().descriptors(os.getpid()))
"""


@pytest.mark.needs_network_none
@pytest.mark.needs_tool("unshare", "mount")
def test_deleted_file_of_the_same_name(tmp_path: Path) -> None:
    """A deleted file has no link left; a secretmem file keeps its one."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    wrap = ["unshare", *user, "--mount"]
    child = subprocess.run(
        [*wrap, sys.executable, "-c", _IMPOSTOR, str(tmp_path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert child.stdout == "/secretmem (deleted)\n[]\n"


@pytest.mark.needs_network_none
@pytest.mark.needs_tool("unshare", "mount")
def test_without_proc_it_is_unavailable() -> None:
    """Nothing seen must not read as nobody holds any."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = 'mount -t tmpfs none /proc && exec "$0" "$@"'
    wrap = ["unshare", *user, "--mount", "sh", "-c", script]
    # No process ids are left in /proc, so not even its listing is believed.
    child = subprocess.run(
        [*wrap, sys.executable, "-c", PS],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert child.returncode == 69
    assert child.stdout == ""
    assert child.stderr.startswith("secretmem ps: ")


def test_watch_on_a_terminal_clears_it() -> None:
    """Each look replaces the one before."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", PS, "--watch", "0.1", "--count", "2"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as child:
        os.close(theirs)
        # The list is as long as there are holders: it is read meanwhile.
        seen = b"".join(_shown(ours))
        assert child.wait(PATIENCE) == 0
    os.close(ours)
    assert seen.count(b"\x1b[2J") == 2


def _shown(terminal: int) -> Iterator[bytes]:
    """Read to the end, which is EIO."""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 1 << 16):
            yield part
