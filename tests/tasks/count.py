"""
Count the copies of a secret that a task leaves in its process.

    PYTHONPATH=tests python -m tasks.count [TASK]...

prints a line for each task: copies before, copies after.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from leak.driver import looked
from leak.memory import SECRET_NAME
from tasks.stages import STAGES, Stage


EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "tasks"
_HOLD = Path(__file__).with_name("hold.py")
_PATIENCE = 300


@dataclass
class Result:
    """What a program printed, and how often its secret was found."""

    said: str
    copies: int
    reported: bool
    """Whether what it printed or logged holds the secret."""


def run(name: str, program: str) -> Result:
    """Run a program of a task's, and look at the end of it."""
    with tempfile.TemporaryDirectory(prefix="secretmem-task-") as folder:
        stage = Stage(Path(folder))
        with STAGES[name](stage):
            return look_at(stage, EXAMPLES / f"{program}.py")


def look_at(stage: Stage, program: Path) -> Result:
    """Run a program, and look at the end of it."""
    ready, told = os.pipe()
    waits, go = os.pipe()
    command = [sys.executable, str(_HOLD), str(told), str(waits)]
    with subprocess.Popen(
        [*command, str(program)],
        cwd=stage.folder,
        env={**os.environ, **stage.environment},
        pass_fds=[told, waits],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        os.close(told)
        os.close(waits)
        try:
            select.select([ready], [], [], _PATIENCE)
            if os.read(ready, 1) == b"r":
                scan, registers = looked(child.pid, stage.needles)
                # The linker leaves holes without access in some libraries.
                unread = [each for each in scan.refused if ".so" not in each]
                assert set(unread) <= {SECRET_NAME}, unread
                # Of a process that has ended nothing is found.
                assert child.poll() is None
                found = len(scan.hits) + len(registers)
            else:
                found = -1
        finally:
            os.close(go)
            os.close(ready)
            out, err = child.communicate(timeout=_PATIENCE)
    assert found >= 0, err.decode()
    shapes = [shape for needle in stage.needles for shape in needle.shapes]
    reported = any(shape.data in out + err for shape in shapes)
    return Result(out.decode(), found, reported)


def main() -> None:
    """Print the table."""
    for name in sys.argv[1:] or STAGES:
        before = run(name, f"{name}_before").copies
        after = run(name, name).copies
        sys.stdout.write(f"{name:14} {before:4} {after:4}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
