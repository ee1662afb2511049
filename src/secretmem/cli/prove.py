"""``secretmem prove``: parse, run, show."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secretmem.cli import voice


if TYPE_CHECKING:
    from secretmem.prove.attack import Attack
    from secretmem.prove.report import Report


_EPILOG = """\b
Examples:
  $ secretmem prove
  $ secretmem prove --only gdb --only core_dump
  $ sudo secretmem prove --all --html report.html
  $ secretmem prove --hold
  $ secretmem prove --residue

Exit status: 0 every row came out as promised, 1 one did not, 2 usage,
69 secret memory is not available here (the degraded mode is shown).
"""

# Looks in the middle of each operation.
_SAMPLES = 50

_STDOUT = Path("-")
_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command(epilog=_EPILOG)
@click.option("--all", "every", is_flag=True, help="Run slow attacks, too.")
@click.option(
    "--only",
    "names",
    metavar="NAME",
    multiple=True,
    help="Run only this attack; may be given more than once.",
)
@click.option("--list", "listing", is_flag=True, help="List the attacks.")
@click.option(
    "--json",
    "json_file",
    type=_FILE,
    help="Write JSON to a file, or - for standard output.",
)
@click.option(
    "--html",
    "html_file",
    type=_FILE,
    help="Write a page to show to others, with the evidence.",
)
@click.option(
    "--residue",
    "samples",
    is_flag=False,
    flag_value=_SAMPLES,
    type=click.IntRange(min=1),
    metavar="[SAMPLES]",
    help="Show what keys leave in memory, beside other libraries.",
)
@click.option(
    "--hold",
    is_flag=True,
    help="Hold a word of yours, for you to attack with your own tools.",
)
@click.option(
    "--word-from-fd",
    type=click.IntRange(min=0),
    metavar="FD",
    help="With --hold: read the word from a descriptor, not the terminal.",
)
def command(
    *,
    every: bool,
    names: tuple[str, ...],
    listing: bool,
    json_file: Path | None,
    html_file: Path | None,
    samples: int | None,
    hold: bool,
    word_from_fd: int | None,
) -> int:
    """
    Show, live, what attackers read from each kind of memory.

    Starts victims that hold a random needle in ordinary memory, in mlocked
    memory (libsodium's) and in a Secret, and attacks them from other
    processes: ptrace, /proc, gdb, core files, DMA, stolen descriptors, stray
    reads and more.  Every attack must succeed on ordinary memory, or it
    counts as broken.  What a Secret does not stop is shown as well.
    """
    if not sys.platform.startswith("linux"):
        voice.complain("prove attacks Linux processes; this is not Linux")
        return voice.UNAVAILABLE
    _check_folders(json_file, html_file)
    if _STDOUT in (json_file, html_file):
        # The table gives way to what another program reads.
        context = click.get_current_context()
        context.with_resource(contextlib.redirect_stdout(sys.stderr))
    if samples is not None:
        if every or names or listing or hold:
            raise click.UsageError("--residue runs no attacks")
        from secretmem.cli.residue import show_residues

        return show_residues(samples, json_file, html_file, _write_file)
    attacks = _chosen(names, every=every or listing)
    if listing:
        return _list(attacks)
    if hold:
        from secretmem.cli.hold import hold_word

        return hold_word(word_from_fd)
    if word_from_fd is not None:
        raise click.UsageError("--word-from-fd needs --hold")
    from secretmem.prove.attack import CannotRunError
    from secretmem.prove.stage import VictimError

    try:
        return _run(attacks, json_file, html_file)
    except (CannotRunError, VictimError) as error:
        voice.complain(f"no attack could be run: {error}")
        return voice.UNAVAILABLE


def _chosen(names: tuple[str, ...], *, every: bool) -> tuple[Attack, ...]:
    """Return the attacks to run, in order; raises UsageError."""
    from secretmem.prove import attacks

    unknown = sorted(set(names) - set(attacks.NAMES))
    if unknown:
        raise click.UsageError(
            f"no attack is called {', '.join(unknown)}; see --list"
        )
    chosen = [
        attacks.named(n) for n in attacks.NAMES if not names or n in names
    ]
    return tuple(a for a in chosen if names or every or a.standard)


def _check_folders(*files: Path | None) -> None:
    """Refuse a file whose folder is missing before anything is run."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f"no such folder: {file.parent}")


def _list(attacks: tuple[Attack, ...]) -> int:
    """Print the attacks with their explanations."""
    from secretmem.cli import table

    for attack in attacks:
        for line in table.explain(attack):
            click.echo(line)
    return voice.FINE


def _run(
    attacks: tuple[Attack, ...], json_file: Path | None, html_file: Path | None
) -> int:
    """Run the attacks, show each row, write the files."""
    from secretmem.cli.table import Table
    from secretmem.prove.report import Report
    from secretmem.prove.runner import Runner

    began = time.monotonic()
    progress = voice.Progress()
    with Runner() as runner:
        table = Table(runner.setting)
        rows = []
        for row in runner.rows(attacks, lambda a: progress.say(a.title)):
            progress.clear()
            table.row(row)
            rows.append(row)
        seconds = time.monotonic() - began
        report = Report(runner.setting, tuple(rows), seconds)
    table.verdict(report)
    _write(report, json_file, html_file)
    return report.exit_code


def _write(
    report: Report, json_file: Path | None, html_file: Path | None
) -> None:
    """Write the report to the files that were asked for."""
    from secretmem.prove import html

    if json_file is not None:
        text = json.dumps(report.as_dict(), indent=2)
        _write_file(json_file, text + "\n")
    if html_file is not None:
        _write_file(html_file, html.page(report))


def _write_file(file: Path, text: str) -> None:
    """Write one file; raises FileError, which ends with exit code 1."""
    if file == _STDOUT and sys.__stdout__ is not None:
        sys.__stdout__.write(text)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise click.FileError(str(file), error.strerror or "") from error
