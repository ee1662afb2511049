"""Shell examples: commands with the output that they print."""

from __future__ import annotations

import contextlib
import doctest
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support import unprivileged


if TYPE_CHECKING:
    from docs.blocks import Block


_MARK = "--- end of command"

# Seconds for one block.
_PATIENCE = 300


@dataclass(frozen=True)
class Command:
    """A command, what it is to print, and its exit status or "any"."""

    text: str
    output: str
    status: str


def commands(block: Block) -> list[Command]:
    """Return the commands of a block with prompts."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith(("$ ", "# ")):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1][0].append(line[2:])
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block.place}: output without a command")
    last = len(found) - 1
    return [
        Command(
            "\n".join(text),
            "".join(f"{line}\n" for line in output),
            block.options.get("exit", "0") if at == last else "0",
        )
        for at, (text, output) in enumerate(found)
    ]


def environment() -> dict[str, str]:
    """Return the environment of examples: this Python's commands first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SECRETMEM_")
    }
    folder = str(Path(sys.executable).parent)
    return {
        **kept,
        "PATH": f"{folder}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "COLUMNS": "80",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def run(block: Block, folder: Path) -> list[str]:
    """Run a block in ``folder``; return what differs from the page."""
    return _run(block, folder, environment(), user=None)


def run_unprivileged(block: Block, folder: Path) -> list[str]:
    """Run a block without privileges, in a copy of ``folder``."""
    kept = {**environment(), "PYTHONPATH": str(unprivileged.tree())}
    python = unprivileged.interpreter()
    assert python is not None
    with tempfile.TemporaryDirectory(prefix="secretmem-docs-") as name:
        copy = Path(name, "example")
        shutil.copytree(folder, copy)
        tools = Path(name, "bin")
        tools.mkdir()
        (tools / "python").symlink_to(python)
        for path in (Path(name), copy, tools):
            path.chmod(0o755)
        kept["PATH"] = f"{tools}{os.pathsep}{os.defpath}"
        user = unprivileged.NOBODY if os.geteuid() == 0 else None
        return _run(block, copy, kept, user=user)


def _run(
    block: Block, folder: Path, environ: dict[str, str], user: int | None
) -> list[str]:
    wanted = commands(block)
    # A shell for the whole block, so that it may set variables and leave
    # programs running in the background until its end.
    script = "".join(
        f"{each.text}\nprintf '%s %s\\n' '{_MARK}' $?\n" for each in wanted
    )
    with subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    ) as shell:
        printed = _until_the_end(shell, len(wanted))
    return list(_differences(block, wanted, printed))


def _until_the_end(
    shell: subprocess.Popen[str], count: int
) -> list[tuple[str, int]]:
    """Read output and status of ``count`` commands; end what still runs."""
    done: list[tuple[str, int]] = []
    output = ""
    assert shell.stdout is not None
    # One that hangs is ended, and its output is what it has printed.
    clock = threading.Timer(_PATIENCE, _end, (shell.pid,))
    clock.start()
    while len(done) < count:
        line = shell.stdout.readline()
        if not line:
            done.append((output, shell.wait()))
            break
        before, mark, status = line.partition(_MARK)
        output += before
        if mark:
            done.append((output, int(status)))
            output = ""
    clock.cancel()
    _end(shell.pid)
    return done


def _end(group: int) -> None:
    """End the shell and its children: it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _differences(
    block: Block, wanted: list[Command], printed: list[tuple[str, int]]
) -> list[str]:
    check = doctest.OutputChecker().check_output
    flags = doctest.ELLIPSIS
    if "loose" in block.options:
        flags |= doctest.NORMALIZE_WHITESPACE
    found = []
    for at, command in enumerate(wanted):
        output, status = printed[at] if at < len(printed) else ("", -1)
        if output and not output.endswith("\n"):
            output += "\n"
        same = check(command.output, output, flags)
        if same and command.status in ("any", str(status)):
            continue
        found.append(
            f"{block.place}: {command.text}\n"
            f"expected status {command.status} and\n{command.output}"
            f"got status {status} and\n{output}"
        )
    return found
