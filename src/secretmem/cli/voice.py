"""
How the programs speak.

- Results go to standard output; everything else goes to standard error.
- Messages begin with ``secretmem:``, in lower case, without a final period;
  what to do about it follows on a line ``secretmem: hint:``.
- Colour only on a terminal, and not when NO_COLOR is set (no-color.org).
- Progress is one line on standard error that disappears, and only when that
  is a terminal.
- No message holds a secret: sizes, names and errno names only.
- Exit codes: 0 fine, 1 a finding, 2 usage, 69 not available here (sysexits.h,
  EX_UNAVAILABLE), 130 interrupted.

This module needs the standard library only: it tells when rich is missing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from rich.console import Console


FINE, FINDING, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 69, 130

_CLEAR_LINE = "\r\x1b[K"


def complain(message: str, *hints: str) -> None:
    """Print a message, and hints below it, to standard error."""
    lines = [f"secretmem: {message}"]
    lines += [f"secretmem: hint: {hint}" for hint in hints]
    print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201 - the program's voice


def console() -> Console:
    """Return the console for results: standard output, as it is."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def lower_first(text: str) -> str:
    """Return a sentence of click's as we write them."""
    return text[:1].lower() + text[1:].rstrip(".")


def refused(error: OSError) -> None:
    """Say what the system refused, and of which file."""
    where = f"{error.filename}: " if error.filename else ""
    complain(f"{where}{lower_first(str(error.strerror))}")


def silence() -> int:
    """Stop writing to a pipe that nobody reads; return the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FINE


class Progress:
    """One line that says what is being done, and disappears."""

    def __init__(self) -> None:
        """Speak only to a terminal."""
        self._shown = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Replace the line."""
        self._write(f"{_CLEAR_LINE}  {text} ...")

    def clear(self) -> None:
        """Remove the line."""
        self._write(_CLEAR_LINE)

    def _write(self, text: str) -> None:
        """Write at once."""
        if self._shown:
            sys.stderr.write(text)
            sys.stderr.flush()
