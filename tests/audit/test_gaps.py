"""What an audit could not search is said, and is never a clean result."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit.targets import search_for, waiting
from secretmem import _native
from secretmem.audit import audit_process, maps, stops
from support.patience import PATIENCE


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

KEY = os.urandom(32)

# Holds a key until it is told to become another program.
CHANGING = """
import os, sys
held = [bytearray.fromhex(input()) for _ in range(100)]
print("ready", flush=True)
input()
code = "print('new', flush=True); input()"
os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code])
"""


class Changing:
    """A process that can call execve(2) when asked."""

    def __init__(self) -> None:
        """Start it, with 100 copies of the key."""
        self.child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", CHANGING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.changed = False
        self._tell((KEY.hex() + "\n") * 100, "ready\n")

    def change(self, *_: int) -> None:
        """Let it become another program, and wait until it is."""
        if not self.changed:
            self.changed = True
            self._tell("\n", "new\n")

    def _tell(self, text: str, answer: str) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(text)
        self.child.stdin.flush()
        assert self.child.stdout.readline() == answer

    def end(self) -> None:
        """End it."""
        self.child.kill()
        self.child.communicate()


def test_execve_meanwhile_is_no_clean_result() -> None:
    """The memory that was opened is gone: no byte of it counts."""
    target = Changing()
    shown = [0]

    def progress(done: int, _: int) -> None:
        shown.append(done)
        target.change()

    with search_for("raw", KEY) as search:
        assert audit_process(target.child.pid, search).findings
        report = audit_process(target.child.pid, search, progress=progress)
        target.end()
    assert target.changed
    assert not report.complete
    assert any("called execve(2)" in gap for gap in report.gaps)
    assert report.searched + sum(report.refused.values()) == shown[-1]
    # What was searched ends where the program changed.
    assert len(shown) == 2
    assert "not complete" in "\n".join(report.lines())


def test_execve_at_the_end_is_seen() -> None:
    """All was read; whether all of it was the same memory is not known."""
    target = Changing()

    def progress(done: int, total: int) -> None:
        if done == total:
            target.change()

    with search_for("raw", KEY) as search:
        report = audit_process(target.child.pid, search, progress=progress)
        target.end()
    assert target.changed
    assert not report.complete


def test_execve_before_the_list_of_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is the new program's then, the opened memory the old one's."""
    target = Changing()
    listed = maps.mappings

    def late(pid: int) -> list[maps.Mapping]:
        target.change()
        return listed(pid)

    monkeypatch.setattr(maps, "mappings", late)
    with search_for("raw", KEY) as search:
        report = audit_process(target.child.pid, search)
        target.end()
    # What it has in registers is that of the old one.
    assert {each.kind for each in report.findings} <= {"registers"}
    assert not report.complete
    assert report.searched == 0


def test_a_thread_that_cannot_stop_is_told(tmp_path: Path) -> None:
    """The program ends by itself, with exit status 69, and lets go."""
    key = tmp_path / "key"
    key.write_bytes(KEY)
    with waiting(tmp_path / "fifo") as child:
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "secretmem.cli.main", "audit"),
                *("--pid", str(child.pid), "--key", f"raw={key}", "--hold"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        status = Path(f"/proc/{child.pid}/status").read_text("utf-8")
    assert done.returncode == 69, done
    words = f"thread {child.pid} cannot be stopped (state D)"
    assert words in done.stdout
    assert "nothing was found (and the audit is not complete)" in done.stdout
    assert "TracerPid:\t0\n" in status
    assert child.returncode == 0


INTERRUPTED = """
import signal, sys
from secretmem.audit import stops
stops.state = lambda _: sys.argv[2]
signal.signal(signal.SIGALRM, lambda *_: sys.exit(7))
signal.setitimer(signal.ITIMER_REAL, 0.05)
with stops.stopped(int(sys.argv[1]), 1000):
    pass
"""


@pytest.mark.parametrize("told", ["D", "S"])
def test_a_signal_ends_the_wait(told: str, tmp_path: Path) -> None:
    """Before the thread is attached to, and after: Ctrl-C works."""
    with waiting(tmp_path / "fifo") as child:
        done = subprocess.run(
            [sys.executable, "-P", "-c", INTERRUPTED, str(child.pid), told],
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 7
    assert child.returncode == 0


def test_one_that_is_given_up_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was attached to: it is let go when the auditing thread ends."""
    caught: list[BaseException] = []

    def stop(pid: int) -> None:
        try:
            with stops.stopped(pid, 0.01):
                pass
        except stops.CannotStop as error:
            caught.append(error)

    # As if it had fallen asleep just after it was asked.
    monkeypatch.setattr(stops, "state", lambda _: "S")
    with waiting(tmp_path / "fifo") as child:
        auditor = threading.Thread(target=stop, args=(child.pid,))
        auditor.start()
        auditor.join()
        assert child.returncode is None
    assert [str(each) for each in caught] == [
        f"thread {child.pid} cannot be stopped (state S)"
    ]
    assert child.returncode == 0


def test_one_that_stops_late_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given up, then stopped after all: it goes on, traced no more."""
    target = Changing()
    pid = target.child.pid
    real = _native.trace_stopped
    asked: list[int] = []

    def late(thread: int) -> int | None:
        asked.append(thread)
        return None if len(asked) == 1 else real(thread)

    monkeypatch.setattr(_native, "trace_stopped", late)
    # On a busy machine it is some time until it stops.
    monkeypatch.setattr(stops, "_LAST", PATIENCE)
    with pytest.raises(stops.CannotStop), stops.stopped(pid, 0):
        pass
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    assert "TracerPid:\t0\n" in status
    target.change()
    target.end()
