"""Targets for audits, and keys for them."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem.audit import Planted, Search
from support.patience import PATIENCE, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator


HOLDER = Path(__file__).with_name("holder.py")


@contextlib.contextmanager
def holding(content: bytes) -> Iterator[int]:
    """Start a process that holds these bytes; give its id."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(HOLDER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(b"%d\n" % len(content) + content)
        child.stdin.flush()
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(PATIENCE)


# Waits in vfork(2), uninterruptibly, until somebody writes to the FIFO that
# its child opens.
_WAITING = """
import os, sys
fifo = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[fifo])
print("spawned", flush=True)
"""


@contextlib.contextmanager
def waiting(fifo: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process whose thread cannot be stopped; it can at the end."""
    os.mkfifo(fifo)
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WAITING, str(fifo)],
        stdout=subprocess.PIPE,
    ) as child:
        try:
            while state(child.pid) != "D":
                time.sleep(0.001)
            yield child
        finally:
            wait_until(lambda: _opened(fifo))
            try:
                child.wait(PATIENCE)
            finally:
                child.kill()


def _opened(fifo: Path) -> bool:
    """Let the child's open(2) return, if it has come so far."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    return True


def state(pid: int) -> str:
    """Give the letter of proc_pid_stat(5)."""
    text = Path(f"/proc/{pid}/stat").read_text("ascii")
    return text.rpartition(")")[2].split()[0]


@contextlib.contextmanager
def search_for(kind: str, key: bytes, label: str = "key") -> Iterator[Search]:
    """Make a search for one key."""
    with (
        Secret.from_bytes(key) as secret,
        Search([Planted(label, kind, secret)]) as search,
    ):
        yield search
