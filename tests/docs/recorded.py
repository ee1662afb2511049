"""
Outputs that the documentation shows as they were recorded.

    PYTHONPATH=tests python -m docs.recorded [PAGE]...

writes them anew into the pages. Those of doctor and ps come from recorded
machines (tests/doctor/trees) and those of the model from nothing at all, so
they are the same everywhere; that of prove is a run on this machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from docs import blocks, shell
from secretmem.cli.ps import shown
from secretmem.doctor import examine
from secretmem.doctor.report import as_lines
from secretmem.ps import Proc, look
from support import trees


if TYPE_CHECKING:
    from collections.abc import Callable


# Columns of a terminal.
_WIDTH = 80


def doctor(name: str) -> str:
    """Return what doctor says of a recorded machine."""
    with tempfile.TemporaryDirectory() as folder:
        system = trees.Recorded(Path(folder, "root"))(name)
        lines = as_lines(system, examine(system), _WIDTH)
        return "".join(f"{line}\n" for _, line in lines)


def ps(name: str) -> str:
    """Return what ps says of a recorded machine."""
    with tempfile.TemporaryDirectory() as folder:
        trees.unpack(name, Path(folder))
        lines = shown(look(Proc(folder)), _WIDTH - 1)
        return "".join(f"{line}\n" for line in lines)


def prove(name: str) -> str:
    """Return what prove says of this machine; slow."""
    text = subprocess.run(
        ["secretmem", name],
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    # What a builder appends to the release is nobody's business.
    return re.sub(r"(Linux [\d.]+)[^,]*,", r"\1,", text)


def model(name: str) -> str:
    """Return what the model says; it is the same everywhere."""
    return subprocess.run(
        [sys.executable, "-m", "secretmem.model", name],
        env=shell.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


# Page: how its recorded outputs are made, by their names.
SOURCES: dict[str, Callable[[str], str]] = {
    "programs/doctor.md": doctor,
    "programs/model.md": model,
    "programs/ps.md": ps,
    "programs/prove.md": prove,
}


def write(page: str) -> None:
    """Record the outputs of a page anew."""
    path = blocks.DOCS / page
    for name in blocks.recorded(page):
        head, mark, rest = path.read_text("utf-8").partition(
            f"<!-- recorded: {name} -->\n```text\n"
        )
        after = rest.partition("```\n")[2]
        text = SOURCES[page](name)
        path.write_text(f"{head}{mark}{text}```\n{after}", "utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or SOURCES:
        write(each)
