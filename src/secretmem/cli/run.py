"""The ``secretmem run`` program: parse, read, become the command."""

from __future__ import annotations

import os
import warnings

import click

from secretmem import LimitError, SecretmemError, SourceError, UnavailableError
from secretmem._descriptors import keep_standard
from secretmem.cli import voice
from secretmem.launch import Plan, PlanError, Prepared, execute
from secretmem.launch.prepare import exit_code
from secretmem.launch.supervise import Wish, check, look, supervise


# By the reason of a SourceError, in the words of sysexits.h.
CODES = {
    "syntax": voice.USAGE,
    "empty": 65,  # EX_DATAERR
    "content": 65,
    "missing": 66,  # EX_NOINPUT
    "loop": 66,
    "unavailable": voice.UNAVAILABLE,
    "failed": 71,  # EX_OSERR
    "command": 75,  # EX_TEMPFAIL
    "denied": 77,  # EX_NOPERM
}
_LIMIT = 71
_INTERVAL = 5.0
"""Seconds between two looks at the sources."""

_EPILOG = """\b
Example:
  $ secretmem run --secret DB=file:/run/secrets/db -- gunicorn app:app

A program in Python takes it by secretmem.inherited("DB"). The variable
SECRETMEM_FDS names the descriptors for programs in other languages.

Exit status: that of the command; before it runs 2 usage, 65 a value is empty
or not what it should be, 66 a source is missing, 69 not available here, 71
the system refused, 75 a source's command failed, 77 a source may not be read,
126 the command cannot be executed, 127 there is no such command.
"""


@click.command(
    epilog=_EPILOG,
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--secret",
    "secrets",
    metavar="NAME=SOURCE",
    multiple=True,
    required=True,
    help="Read a secret, and pass it under this name. Can be repeated.",
)
@click.option(
    "--expose",
    "exposures",
    metavar="KIND:NAME",
    multiple=True,
    help="Pass a secret as an environment variable (env:NAME) or an ordinary "
    "file (file:NAME) instead; says what is lost.",
)
@click.option(
    "--restart",
    is_flag=True,
    help="Stay, and start the command again when it fails.",
)
@click.option(
    "--reload",
    "renew",
    is_flag=True,
    help="Stay, and start the command again when a source has changed, or "
    "after SIGHUP.",
)
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.01),
    help="With --reload: how often the sources are looked at.  [default: 5]",
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    secrets: tuple[str, ...],
    exposures: tuple[str, ...],
    restart: bool,
    renew: bool,
    interval: float | None,
    argv: tuple[str, ...],
) -> int:
    """
    Run a command with secrets that are not in its environment.

    Each secret is read from its SOURCE (file:PATH, cmd:COMMAND, env:NAME and
    others) into secret memory, put into a file of memfd_secret(2), and passed
    as a descriptor.  Then this process becomes the command, as with env(1),
    unless --restart or --reload says that it stays.
    """
    if interval is not None and not renew:
        raise click.UsageError("--interval needs --reload")
    # A secret with one of their numbers would be the command's output.
    keep_standard()
    try:
        plan = Plan.parse(secrets, exposures, argv)
        stay = restart or renew
        if stay:
            check(plan)
        for each in plan.exposures:
            voice.complain(each.loss())
        stamps = look(plan) if stay else []
        with _read(plan) as prepared:
            if stay:
                wish = Wish(restart, renew, interval or _INTERVAL, _say)
                return supervise(plan, prepared, wish, stamps)
            return _become(plan, prepared)
    except PlanError as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        voice.complain(str(error), *filter(None, [error.remedy]))
        return CODES[error.reason]
    except UnavailableError as error:
        voice.complain(f"no secret memory here: {error}", error.remedy)
        return voice.UNAVAILABLE
    except (LimitError, OSError) as error:
        voice.complain(voice.lower_first(str(error)))
        return _LIMIT
    except SecretmemError as error:
        voice.complain(voice.lower_first(str(error)))
        return voice.UNAVAILABLE


def _read(plan: Plan) -> Prepared:
    """Read everything; warnings in our own voice."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return Prepared(plan)
        finally:
            for each in caught:
                voice.complain(voice.lower_first(str(each.message)))


def _say(text: str) -> None:
    voice.complain(voice.lower_first(text))


def _become(plan: Plan, prepared: Prepared) -> int:
    try:
        execute(plan, prepared)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        voice.complain(f"{plan.command[0]}: {voice.lower_first(text)}")
        return exit_code(error)
