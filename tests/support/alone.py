"""
Run a function in an interpreter of its own.

The function's source is what runs there, so it must import what it uses and
may take only arguments whose ``repr`` is their source.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from support import unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


Argument = str | int | float | bytes | bool | None


def source(function: Callable[..., object], *arguments: Argument) -> str:
    """Return a program that calls the function."""
    text = textwrap.dedent(inspect.getsource(function))
    call = ", ".join(map(repr, arguments))
    head = "from __future__ import annotations\n"
    # Children of multiprocessing import the program without running it.
    tail = f'if __name__ == "__main__":\n    {function.__name__}({call})\n'
    return f"{head}\n{text}\n{tail}"


def run(
    function: Callable[..., object],
    *arguments: Argument,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    before: Sequence[str] = (),
    timeout: float = PATIENCE,
) -> subprocess.CompletedProcess[str]:
    """
    Call a function in a fresh interpreter; the result is not checked.

    ``environment`` is added to this one, ``options`` are the interpreter's,
    ``before`` is a command that becomes it.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "alone.py")
        script.write_text(source(function, *arguments), "utf-8")
        return subprocess.run(
            [*before, sys.executable, "-P", *options, str(script)],
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


def passes(
    function: Callable[..., object],
    *arguments: Argument,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    timeout: float = PATIENCE,
) -> str:
    """Call a function in a fresh interpreter; it must end well. Its output."""
    done = run(
        function,
        *arguments,
        environment=environment,
        options=options,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout


def passes_unprivileged(
    function: Callable[..., object],
    *arguments: Argument,
    environment: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> str:
    """Call a function as a user without privileges; it must end well."""
    done = unprivileged.run(
        "-c",
        source(function, *arguments),
        environment=environment,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout
