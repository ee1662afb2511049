"""
Run a program, and stop at its end with all that it has.

    hold.py TOLD GO PROGRAM

The descriptor TOLD is told when, the descriptor GO says to go on.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys


def main() -> None:
    """Keep the program's names until it may end."""
    told, go = int(sys.argv.pop(1)), int(sys.argv.pop(1))
    program = sys.argv.pop(1)
    names: dict[str, object] = {}
    with contextlib.suppress(SystemExit):
        names = runpy.run_path(program, run_name="__main__")
    sys.stdout.flush()
    os.write(told, b"r")
    os.read(go, 1)
    del names


if __name__ == "__main__":
    main()
