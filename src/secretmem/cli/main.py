"""
The table of commands, and what runs them.

A command is one line in `COMMANDS` and a module ``secretmem.cli.NAME`` with a
click command called ``command``.  The module is imported when the command is
used, so that none of them can break another.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING

from secretmem.cli import voice


if TYPE_CHECKING:
    import click


# Name: what it does, in the words of the list that `secretmem` prints.
COMMANDS = {
    "run": "run a command with secrets that are not in its environment",
    "seal": "encrypt a file to recipients or a passphrase (age)",
    "open": "decrypt an age file",
    "keygen": "make an identity for age files",
    "prove": "show, live, what each attack reads from each kind of memory",
    "audit": "look for keys in a process, from outside, or in a core file",
    "doctor": "say whether secret memory works here, and what to change",
    "ps": "list who holds secret memory on this machine",
    "agent": "keep SSH keys in secret memory, for ssh, git and others",
    "model": "run the system that this package stands on, as a model",
}

NEEDED = ("click", "rich")


def main() -> int:
    """Run the command that the arguments name; return the exit code."""
    missing = [n for n in NEEDED if importlib.util.find_spec(n) is None]
    if missing:
        voice.complain(
            f"the command needs {' and '.join(missing)}",
            "pip install 'secretmem[cli]'",
        )
        return voice.UNAVAILABLE
    from secretmem.cli.group import run

    return run(sys.argv[1:], COMMANDS, load)


def load(name: str) -> click.Command:
    """Import a command of the table; ImportError when it is not there."""
    module = importlib.import_module(f"secretmem.cli.{name}")
    command: click.Command = module.command
    return command


if __name__ == "__main__":
    sys.exit(main())
