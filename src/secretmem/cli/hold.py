"""``secretmem prove --hold``: hold a word and say how to look for it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from secretmem.cli import voice, waking


if TYPE_CHECKING:
    from secretmem import Secret
    from secretmem.prove.hold import Holders


def hold_word(fd: int | None) -> int:
    """
    Ask for a word, or read it from ``fd``, and hold it until Enter.

    Raises UsageError when there is no word.
    """
    from secretmem import SecretmemError, UnavailableError
    from secretmem.prove.hold import Holders
    from secretmem.prove.stage import VictimError

    try:
        with _word(fd) as word:
            if not len(word):
                raise click.UsageError("the word is empty")
            holders = Holders(word)
    except UnavailableError as error:
        voice.complain(f"no secret memory here: {error}")
        return voice.UNAVAILABLE
    except (SecretmemError, VictimError, OSError, EOFError) as error:
        voice.complain(f"the word cannot be held: {error}")
        return voice.UNAVAILABLE
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with holders, contextlib.suppress(KeyboardInterrupt):
        _show(holders)
        _wait()
    click.echo("the three processes have ended")
    return voice.FINE


def _word(fd: int | None) -> Secret:
    """Read the word straight into secret memory."""
    from secretmem import Secret

    if fd is None:
        return Secret.prompt("a word to hold (not shown): ", name="word")
    return Secret.from_fd(fd, strip=True, max_size=4096, name="word")


def _show(holders: Holders) -> None:
    """Print who holds the word and the commands to look for it."""
    from secretmem.prove.hold import commands

    click.echo("three processes hold the word:\n")
    for holder in holders.all:
        where = ", ".join(f"{span.address:#x}" for span in holder.where)
        click.echo(f"  {holder.kind:<10} PID {holder.pid}  {holder.made_of}")
        click.echo(f"  {'':<10} at {where}")
    click.echo("\nlook for it in another terminal, with your own tools:\n")
    for line in commands(holders.all):
        click.echo(f"  {line}" if line else "")
    click.echo("\nEnter or Ctrl-C ends them")
    sys.stdout.flush()


def _wait() -> None:
    """Wait for Enter or the end of standard input."""
    fd = sys.stdin.fileno()
    while waking.wait(fd=fd):
        data = os.read(fd, 4096)
        if not data or b"\n" in data:
            return
