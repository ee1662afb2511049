"""``secretmem audit``: parse, look, print."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secretmem.cli import voice


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem import Secret
    from secretmem.audit import Planted, Report, Search

    Progress = Callable[[int, int], None]


_EPILOG = """\b
Kinds of key:
  raw       bytes of which nothing more is known
  password  a text, looked for as a whole (up to 16 bytes of it)
  ed25519   a seed of 32 bytes        x25519  a private key of 32 bytes
  aes       16, 24 or 32 bytes        hmac    a key of HMAC
  pem       a private key file: PEM, DER or OpenSSH, also encrypted
SOURCE is a path, prompt, or as in secretmem.sources: fd:3?encoding=hex.

\b
Examples:
  $ secretmem audit --pid 4711 --key pem=/etc/app/key.pem
  $ secretmem audit --pid 4711 --key 'aes=fd:3?encoding=hex' 3< key.hex
  $ secretmem audit --core core.4711 --key password=prompt --json

Exit status: 0 nothing found, 1 found, 2 usage, 69 nothing found but not all
was searched, the target cannot be looked into, or there is no secret memory
here for the keys.
"""


@click.command(epilog=_EPILOG)
@click.option("--pid", type=click.IntRange(min=1), help="A running process.")
@click.option(
    "--core",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A core file.",
)
@click.option(
    "--key",
    "specs",
    metavar="KIND=SOURCE",
    multiple=True,
    help="A key to look for; may be given more than once.",
)
@click.option(
    "--passphrase",
    metavar="SOURCE",
    help="Of an encrypted private key file.",
)
@click.option(
    "--hold",
    is_flag=True,
    help="Keep the process stopped until all its memory was searched.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    pid: int | None,
    core: Path | None,
    specs: tuple[str, ...],
    passphrase: str | None,
    hold: bool,
    as_json: bool,
) -> int:
    """
    Look for keys, and what is made of them, in a process or a core file.

    Searches all memory that can be read from outside, and the registers of
    all threads, for every form of the keys: seeds and scalars, numbers in
    both byte orders, AES round keys, HMAC pads, base64, hex.  Eight bytes
    in a row count.  The keys stay in secret memory; the report names places
    and forms, never content.
    """
    if not sys.platform.startswith("linux"):
        voice.complain("audit looks into Linux processes; this is not Linux")
        return voice.UNAVAILABLE
    if (pid is None) == (core is None):
        raise click.UsageError("give either --pid or --core")
    if hold and pid is None:
        raise click.UsageError("--hold needs --pid")
    if not specs:
        raise click.UsageError("give at least one --key KIND=SOURCE")
    from secretmem.audit import AuditError
    from secretmem.audit.errors import UnfitKeyError
    from secretmem.exceptions import SecretmemError

    try:
        with _search(specs, passphrase) as search:
            report = _audit(search, pid, core, hold=hold)
    except AuditError as error:
        voice.complain(str(error), *([error.hint] if error.hint else []))
        unfit = isinstance(error, UnfitKeyError)
        return voice.USAGE if unfit else voice.UNAVAILABLE
    except SecretmemError as error:
        voice.complain(f"no secret memory for the keys: {error}")
        return voice.UNAVAILABLE
    _show(report, as_json=as_json)
    if report.clean and not report.complete:
        return voice.UNAVAILABLE
    return voice.FINE if report.clean else voice.FINDING


def _search(specs: tuple[str, ...], passphrase: str | None) -> Search:
    """Load the keys; their Secrets end when the forms are made."""
    from secretmem.audit import Search, planted

    with contextlib.ExitStack() as ends:
        word: Secret | None = None
        keys: list[Planted] = []
        try:
            if passphrase is not None:
                spec = f"password={passphrase}"
                word = ends.enter_context(planted.load(spec).secret)
            for spec in specs:
                key = planted.load(spec, word)
                ends.enter_context(key.secret)
                keys.append(key)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return Search(keys)


def _audit(
    search: Search, pid: int | None, core: Path | None, *, hold: bool
) -> Report:
    from secretmem.audit import audit_core, audit_process

    with _bar() as progress:
        if core is not None:
            return audit_core(core, search, progress)
        assert pid is not None  # noqa: S101 - one of both, as checked
        return audit_process(pid, search, hold=hold, progress=progress)


@contextlib.contextmanager
def _bar() -> Iterator[Progress]:
    """Show a bar on a terminal; it disappears."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("searching"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("search", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
        return
    console = voice.console()
    *lines, sentence = report.lines()
    for line in lines:
        console.print(line)
    fine = "bold green" if report.complete else "bold yellow"
    colour = fine if report.clean else "bold red"
    console.print(sentence, style=colour)
