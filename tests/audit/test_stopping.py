"""Stopping a process changes nothing for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from audit.targets import holding, search_for, state
from secretmem import _native
from secretmem.audit import AuditError, audit_process, sample_process
from secretmem.audit.stops import stopped
from support import alone
from support.patience import PATIENCE


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

KEY = os.urandom(32)

# The C handler writes a byte for each signal; Python's may handle several
# at once.
COUNTER = """
import os, signal
there, here = os.pipe()
os.set_blocking(here, False)
signal.set_wakeup_fd(here)
done = False
def stop(*_):
    global done
    done = True
signal.signal(signal.SIGRTMIN, lambda *_: None)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while not done:
    sum(range(1000))
print(os.read(there, 4096).count(signal.SIGRTMIN), flush=True)
"""


def test_a_stopped_process_stays_stopped() -> None:
    """As by SIGSTOP; it goes on at SIGCONT, and is searched meanwhile."""
    with search_for("raw", KEY) as search, holding(KEY) as pid:
        os.kill(pid, signal.SIGSTOP)
        while state(pid) != "T":
            time.sleep(0.001)
        report = audit_process(pid, search, hold=True)
        assert not report.clean
        # It is woken up to stop once more; one that goes on waits for input.
        while (now := state(pid)) != "T":
            assert now in "tR"
        os.kill(pid, signal.SIGCONT)
        while state(pid) == "T":
            time.sleep(0.001)


def test_no_signal_is_lost() -> None:
    """Queued signals that arrive while it is stopped are all handled."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-c", COUNTER],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    sent = 0
    # Many of them, so that some stops meet one on its way.
    with search_for("raw", KEY) as search:
        for hold in (False, True) * 10:
            for _ in range(10):
                os.kill(child.pid, signal.SIGRTMIN)
            sent += 10
            audit_process(child.pid, search, hold=hold)
    child.send_signal(signal.SIGTERM)
    handled = int(child.stdout.readline())
    child.stdout.close()
    assert child.wait(PATIENCE) == 0
    assert handled == sent


def die_while_it_is_stopped(pid: int) -> None:
    """Run in an interpreter of its own: as if killed."""
    import os

    from secretmem.audit.stops import stopped

    with stopped(pid):
        os._exit(7)


def test_it_goes_on_if_the_auditor_dies() -> None:
    """The kernel lets it go; `holding` sees it answer and end."""
    with holding(KEY) as pid:
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-c"),
                alone.source(die_while_it_is_stopped, pid),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 7, done.stderr
        while state(pid) == "t":
            time.sleep(0.001)
        with search_for("raw", KEY) as search:
            assert not audit_process(pid, search).clean


def test_one_that_is_traced_already_is_told() -> None:
    """The tracer is named."""
    code = (
        "import sys, time\n"
        "from secretmem.audit.stops import stopped\n"
        "with stopped(int(sys.argv[1])):\n"
        "    print('stopped', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with search_for("raw", KEY) as search, holding(KEY) as pid:
        tracer = subprocess.Popen(
            [sys.executable, "-P", "-c", code, str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"stopped\n"
        with pytest.raises(AuditError) as caught:
            audit_process(pid, search)
        tracer.communicate(timeout=PATIENCE)
    assert f"process {tracer.pid} traces it already" in str(caught.value.hint)


def test_itself_and_what_has_ended() -> None:
    """A process cannot audit itself; a zombie has nothing."""
    child = subprocess.Popen([sys.executable, "-I", "-c", ""])
    while state(child.pid) != "Z":
        time.sleep(0.001)
    with search_for("raw", KEY) as search:
        with pytest.raises(AuditError, match="cannot audit itself"):
            audit_process(os.getpid(), search)
        with pytest.raises(AuditError, match="no memory: it has ended"):
            audit_process(child.pid, search)
        child.wait()
        with pytest.raises(AuditError, match="there is no process"):
            audit_process(child.pid, search)


def test_a_thread_that_ends_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a zombie ptrace(2) says EPERM, as of one that may not be traced."""
    child = subprocess.Popen([sys.executable, "-I", "-c", ""])
    while state(child.pid) != "Z":
        time.sleep(0.001)
    with pytest.raises(ProcessLookupError, match="ending"), stopped(child.pid):
        pass
    child.wait()
    with holding(KEY) as pid:

        def refuse(_thread: int) -> None:
            raise PermissionError

        monkeypatch.setattr(_native, "trace_seize", refuse)
        with pytest.raises(PermissionError), stopped(pid):
            pass


def test_samples_choose_their_moments() -> None:
    """One that waits on its own stack is in no operation."""
    with search_for("raw", KEY) as search, holding(KEY) as pid:
        assert sample_process(pid, search, inside=True) is None
        report = sample_process(pid, search, inside=False)
        assert report is not None
        assert not report.clean
        whole = audit_process(pid, search)
    assert report.searched < whole.searched
