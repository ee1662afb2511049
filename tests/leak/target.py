"""
Run one program: ``target.py JSON``, started by `leak.driver`.

The argument names the program and descriptors; it holds no value.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run the program that the driver named."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from leak.stage import PROGRAMS, Stage

    order = json.loads(sys.argv[1])
    importlib.import_module(order["module"])
    program = PROGRAMS[order["name"]]
    if program.terminal:
        # The leader of a session gets its controlling terminal by opening it.
        os.close(os.open(os.ttyname(0), os.O_RDWR))
        # A shell starts background jobs with the signal ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    stage = Stage(
        program,
        ordinary=order["ordinary"],
        many=order["many"],
        pipes=tuple(order["pipes"]),
        sources=order["sources"],
        folder=order["folder"],
        abort=order["abort"],
    )
    program.run(stage)


if __name__ == "__main__":
    main()
