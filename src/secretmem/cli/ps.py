"""The ``secretmem ps`` program: parse, look, print."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from secretmem.cli import waking
from secretmem.ps import look


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.ps import Report

_UNAVAILABLE = 69

_EPILOG = """\b
Example:
  $ sudo secretmem ps --watch 5

IN RAM counts the pages that were touched. A size in brackets is open as a
descriptor and not mapped; a + says that there are such files too. SINCE is
when the oldest file was made, or >= the start of the process where the
kernel does not show it (root sees it).

Exit status: 0 fine, 2 usage, 69 there is no /proc.
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--watch",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="Print again every so many seconds, until interrupted.",
)
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --watch: stop after N times.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    as_json: bool,
    watch: float | None,
    count: int | None,
) -> None:
    """
    List the processes that hold secret memory.

    A process holds it by a mapping or by an open descriptor alone.  While
    one does, the machine cannot hibernate; the list says who.  Processes of
    other users, and those that are not dumpable, can be read by root only:
    their number is printed.
    """
    if count and not watch:
        raise click.UsageError("--count needs --watch SECONDS")
    rounds = (count or sys.maxsize) if watch else 1
    try:
        for number in range(rounds):
            if number:
                waking.wait(watch or 0)
            _show(as_json=as_json, again=watch is not None)
    except OSError as error:
        click.echo(f"secretmem ps: /proc: {error.strerror}", err=True)
        ctx.exit(_UNAVAILABLE)
    except KeyboardInterrupt:
        # The usual way to end --watch is no failure.
        ctx.exit(0)


def shown(report: Report, width: int) -> Iterator[str]:
    """Give the lines of a report, its sentences wrapped at a width."""
    # The table with its head and the empty line below it stays as it is.
    rows = len(report.census.processes)
    for number, line in enumerate(report.lines()):
        if rows and number <= rows + 1:
            yield line
        else:
            wrapped = textwrap.wrap(line, width, subsequent_indent="  ")
            yield "\n".join(wrapped)


def _show(*, as_json: bool, again: bool) -> None:
    """Print one report; one line of JSON when there are several."""
    report = look()
    if as_json:
        indent = None if again else 2
        click.echo(json.dumps(report.as_dict(), indent=indent))
        return
    if again and sys.stdout.isatty():
        click.clear()
    # Where no terminal is, it is one of 80 columns.
    for line in shown(report, shutil.get_terminal_size().columns - 1):
        click.echo(line)
    if again:
        click.echo()
