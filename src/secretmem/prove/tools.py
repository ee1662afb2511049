"""Running the tools of the machine: gdb, gcore, strace."""

from __future__ import annotations

import os
import shutil
import subprocess


_SECONDS = 60.0


def run_tool(words: list[str], directory: str | None = None) -> str:
    """
    Run a program and return what it said on both outputs.

    Its language is English, so that its messages can be told apart, and it
    reads nothing from the terminal.
    """
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C"},
        cwd=directory,
        timeout=_SECONDS,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def missing(name: str) -> str | None:
    """Return why a tool cannot be used, None when it is there."""
    return None if shutil.which(name) else f"{name} is not installed"
