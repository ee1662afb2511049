"""
Run the Python blocks of one session; started as a program by the tests.

    python session.py SPEC.json

Prints what went wrong, by place; status 1 then.
"""

from __future__ import annotations

import contextlib
import doctest
import fcntl
import io
import json
import os
import sys
import termios
import threading
import traceback
from pathlib import Path
from typing import Any


def main() -> int:
    """Run the session that the file named in the arguments describes."""
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if spec["typed"]:
        _type(spec["typed"])
    names: dict[str, Any] = {"__name__": "__main__"}
    bad = 0
    for block in spec["blocks"]:
        run = _doctest if block["language"] == "pycon" else _script
        bad += not run(block, names)
    return 1 if bad else 0


def _script(block: dict[str, Any], names: dict[str, Any]) -> bool:
    """Run a block of code; it must neither fail nor print."""
    # With the line numbers of the page.
    text = "\n" * (block["line"] - 1) + block["text"]
    printed = io.StringIO()
    try:
        code = compile(text, block["place"].rpartition(":")[0], "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, names)  # noqa: S102 - that is the example
    except BaseException:  # noqa: BLE001 - whatever it is, the example fails
        print(f"{block['place']}:\n{traceback.format_exc()}")  # noqa: T201
        return False
    if printed.getvalue():
        print(f"{block['place']}: printed\n{printed.getvalue()}")  # noqa: T201
    return not printed.getvalue()


def _doctest(block: dict[str, Any], names: dict[str, Any]) -> bool:
    """Run a block with prompts and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(
        block["text"], names, block["place"], block["place"], block["line"]
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(test, clear_globs=False)
    names.update(test.globs)
    return result.attempted > 0 and not result.failed


def _type(words: list[str]) -> None:
    """Get a terminal of our own, and type a word at each prompt."""
    master, slave = os.openpty()
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    def answer() -> None:
        for word in words:
            seen = b""
            while not seen.endswith(b" "):
                seen += os.read(master, 1024)
            os.write(master, word.encode() + b"\n")

    threading.Thread(target=answer, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
