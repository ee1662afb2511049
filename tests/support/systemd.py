"""
A user's systemd of our own, in a mount namespace.

It insists that the machine was booted by systemd, which a folder shows; the
folder is made in the namespace only.  What it mounts for the credentials of a
service comes from a namespace below, so ``/run`` is shared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator


PROGRAM = "/lib/systemd/systemd"

# Waits for the end of standard input, then ends the manager.
_START = f"""
mount -t tmpfs none /run && mount --make-shared /run || exit 1
mkdir -p /run/systemd/system /run/user || exit 1
chmod 700 /run/user
export XDG_RUNTIME_DIR=/run/user
{PROGRAM} --user > /dev/null 2>&1 &
until test -S /run/user/systemd/private; do
    kill -0 $! || exit 1
    sleep 0.05
done
echo ready
while read -r line; do
    eval "$line" 2>&1
    echo "status $?"
done
systemctl --user exit
wait
"""


class Manager:
    """A running manager."""

    def __init__(self, shell: subprocess.Popen[str]) -> None:
        self._shell = shell

    def systemctl(self, *arguments: str) -> str:
        """Run ``systemctl --user``; gives its output if it succeeds."""
        return self.run("systemctl --user " + " ".join(arguments))

    def run(self, command: str) -> str:
        """Run a command where the manager is."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command}\n")
        self._shell.stdin.flush()
        said = ""
        for line in self._shell.stdout:
            if line.startswith("status "):
                assert line == "status 0\n", said
                return said
            said += line
        raise AssertionError(said)


@contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    """Start one with the units in ``folder``/systemd/user."""
    with subprocess.Popen(
        ["unshare", "--mount", "bash", "-c", _START],
        env={**os.environ, "XDG_CONFIG_HOME": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        assert shell.stdout
        try:
            assert shell.stdout.readline() == "ready\n"
            yield Manager(shell)
        finally:
            shell.communicate(timeout=PATIENCE)


@cache
def why_not() -> str | None:
    """Say why there can be none."""
    if os.geteuid():
        return "needs root, for a mount namespace"
    if not (Path(PROGRAM).exists() and shutil.which("systemctl")):
        return "no systemd is installed"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with manager(Path(folder)) as running:
                running.systemctl("show", "-p", "Version")
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            return f"no user manager of systemd starts: {error}"
    return None
