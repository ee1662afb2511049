"""`secretmem prove --hold`: a word of the reader's, for his own tools."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretmem.prove import maps
from secretmem.prove.needle import Needle
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

COMMAND = [sys.executable, "-P", "-m", "secretmem.cli.main", "prove", "--hold"]


@contextmanager
def _holding(word: bytes) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Hold a word from a pipe; give the process and what it printed."""
    reader, writer = os.pipe()
    with subprocess.Popen(
        [*COMMAND, "--word-from-fd", str(reader)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[reader],
    ) as holder:
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(word)
        assert holder.stdout is not None
        text = ""
        for line in holder.stdout:
            text += line
            if line.startswith("Enter or Ctrl-C"):
                break
        try:
            yield holder, text
        finally:
            holder.kill()


def _pids(text: str) -> dict[str, int]:
    """Return the process ids by kind of memory."""
    found = re.findall(r"^  (\w+) +PID (\d+)", text, re.MULTILINE)
    return {kind: int(pid) for kind, pid in found}


def test_three_processes_hold_the_word() -> None:
    """It is found in two of them and not in the third."""
    needle = Needle()
    with _holding(needle.text + b"\n") as (_, text):
        pids = _pids(text)
        assert list(pids) == ["bytes", "mlocked", "secretmem"]
        scans = {
            k: maps.scan(p, needle.find_any_form) for k, p in pids.items()
        }
        assert scans["bytes"].find is not None
        assert scans["mlocked"].find is not None
        assert scans["secretmem"].find is None
        assert scans["secretmem"].refused > 0


def test_the_program_itself_keeps_no_copy() -> None:
    """The word went through the printing process without staying there."""
    needle = Needle()
    with _holding(needle.text + b"\n") as (holder, text):
        assert needle.text.decode() not in text
        assert maps.scan(holder.pid, needle.find_any_form).find is None
        line = Path(f"/proc/{holder.pid}/cmdline").read_bytes()
        assert needle.find(line) is None


@pytest.mark.needs_tool("bash", "gdb", "gcore", "grep", "awk", "dd")
def test_the_printed_commands_work() -> None:
    """Pasted into a shell, they find the word twice and the third not."""
    needle = Needle()
    with _holding(needle.text + b"\n") as (_, text):
        block = text.partition("own tools:\n")[2].partition("\nEnter")[0]
        script = "".join(line[2:] for line in block.splitlines(keepends=True))
        done = subprocess.run(
            ["bash", "-c", script.replace("read -rs", "read -r")],
            input=needle.text.decode() + "\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        pids = _pids(text)
    for kind, times in (("bytes", 1), ("mlocked", 1), ("secretmem", 0)):
        found = re.findall(
            rf"^{pids[kind]}: found (\d+)", done.stdout, re.MULTILINE
        )
        assert len(found) == 2, done.stdout + done.stderr
        assert all(bool(int(n)) == bool(times) for n in found), done.stdout
    first = f"{needle.text[0]} '{chr(needle.text[0])}'"
    assert done.stdout.count(first) >= 2
    assert "Cannot access memory" in done.stdout


@pytest.mark.parametrize("way", ["enter", "end", "interrupt", "terminate"])
def test_it_ends_with_its_processes(way: str) -> None:
    """Enter, the end of the input, Ctrl-C and SIGTERM end all of them."""
    with _holding(b"correct horse") as (holder, text):
        pidfds = [os.pidfd_open(pid) for pid in _pids(text).values()]
        assert holder.stdin is not None
        if way == "enter":
            holder.stdin.write("\n")
            holder.stdin.flush()
        elif way == "end":
            holder.stdin.close()
        else:
            number = {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
            holder.send_signal(number[way])
        assert holder.wait(timeout=PATIENCE) == 0
        for pidfd in pidfds:
            assert select.select([pidfd], [], [], PATIENCE)[0]
            os.close(pidfd)


def test_an_empty_word_is_a_usage_error() -> None:
    """There is nothing to hold."""
    reader, writer = os.pipe()
    os.close(writer)
    done = subprocess.run(
        [*COMMAND, "--word-from-fd", str(reader)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        pass_fds=[reader],
    )
    os.close(reader)
    assert done.returncode == 2
    assert done.stderr == "secretmem: the word is empty\n"


def test_the_word_is_typed_without_echo() -> None:
    """On a terminal it is asked for, and not shown."""
    needle = Needle()
    pid, terminal = pty.fork()
    if not pid:
        os.execv(COMMAND[0], COMMAND)  # noqa: S606 - no shell is wanted
    try:
        _read_until(terminal, b"not shown): ")
        os.write(terminal, needle.text + b"\n")
        said = _read_until(terminal, b"ends them")
        assert needle.find(said) is None
        assert maps.scan(pid, needle.find_any_form).find is None
        os.write(terminal, b"\n")
        said = _read_until(terminal, b"have ended")
    finally:
        os.close(terminal)
        status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGHUP}


def _read_until(terminal: int, mark: bytes) -> bytes:
    """Return what comes from a terminal up to ``mark``."""
    said = b""
    end = time.monotonic() + PATIENCE
    while mark not in said:
        assert select.select(
            [terminal], [], [], max(0, end - time.monotonic())
        )[0], said
        said += os.read(terminal, 4096)
    return said
