"""
A system's systemd of our own: process 1 of a process namespace.

It is told that it runs in a container, knows the units of one folder only,
and cannot change the machine: ``/run``, ``/var/lib/systemd`` and the control
groups are its own, ``/proc/sys`` is read-only.  It is ended by SIGKILL, which
ends all of its processes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.systemd import PROGRAM


if TYPE_CHECKING:
    from collections.abc import Iterator


# In a mount namespace: a control group of its own, which is removed after.
_OUTER = """
test "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ||
    mount -t cgroup2 none /sys/fs/cgroup || exit 1
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/secretmem-$$
mkdir "$group" || exit 1
(
    echo $BASHPID > "$group/cgroup.procs" || exit 1
    exec unshare --fork --kill-child --pid --mount --uts --ipc --cgroup \\
        --mount-proc bash -ec "$1" bash "$2"
)
find "$group" -depth -type d -exec rmdir {} +
"""

_INNER = f"""
mount -t tmpfs none /run
mount --make-shared /run
mkdir /run/lock
mount -t tmpfs none /var/lib/systemd
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
umount -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    SYSTEMD_UNIT_PATH="$1" SYSTEMD_GENERATOR_PATH=/nonexistent \\
    SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent SYSTEMD_PROC_CMDLINE= \\
    {PROGRAM} --system --unit=test.target --show-status=no --log-target=console
"""

# What services come after by themselves, and what this one begins with.
_TARGETS = ("sysinit", "basic", "shutdown", "test")

_PATIENCE = 180


class System:
    """A running manager, by its process id outside."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *command: str) -> str:
        """Run a command in its namespaces; gives its output if it succeeds."""
        flags = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
        done = subprocess.run(
            ["nsenter", f"--target={self.pid}", *flags, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def systemctl(self, *arguments: str) -> str:
        """Run ``systemctl``."""
        return self.run("systemctl", "--no-pager", *arguments)


@contextmanager
def system(units: Path) -> Iterator[System]:
    """Start one that knows the units of a folder."""
    for each in _TARGETS:
        path = units / f"{each}.target"
        path.write_text("[Unit]\nDefaultDependencies=no\n")
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [
                *("unshare", "--mount", "bash", "-c", _OUTER, "bash"),
                *(_INNER, str(units)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as outer,
    ):
        pid = None
        try:
            pid = _first(outer)
            yield _ready(outer, pid)
        finally:
            # What it was told last.
            log.seek(0)
            print(log.read().decode(errors="replace"))  # noqa: T201 - shown when a test fails
            if pid is None:
                outer.kill()
            else:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            outer.wait(_PATIENCE)


def _first(outer: subprocess.Popen[bytes]) -> int:
    """Wait for the namespace's process 1; gives its id here."""
    end = time.monotonic() + _PATIENCE
    while True:
        assert outer.poll() is None, "it ended"
        assert time.monotonic() < end, "it does not start"
        pid = outer.pid
        with suppress(OSError):
            while children := _children(pid):
                pid = int(children[0])
            if os.path.realpath(f"/proc/{pid}/exe").endswith("/systemd"):
                return pid
        time.sleep(0.05)


def _children(pid: int) -> list[str]:
    name = Path(f"/proc/{pid}/exe").resolve().name
    # Its own children are services.
    if name == "systemd":
        return []
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _ready(outer: subprocess.Popen[bytes], pid: int) -> System:
    made = System(pid)
    end = time.monotonic() + _PATIENCE
    while True:
        assert outer.poll() is None, "it ended"
        try:
            made.systemctl("is-active", "test.target")
        except AssertionError:
            assert time.monotonic() < end, "it is not ready"
            time.sleep(0.1)
        else:
            return made


@cache
def why_not() -> str | None:
    """Say why there can be none."""
    if os.geteuid():
        return "needs root, for namespaces"
    tools = ("systemctl", "unshare", "nsenter")
    if not (Path(PROGRAM).exists() and all(map(shutil.which, tools))):
        return "no systemd is installed"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with system(Path(folder)):
                return None
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            return f"no systemd starts as process 1: {error}"
