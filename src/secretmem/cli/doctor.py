"""The ``secretmem doctor`` program: parse, examine, print."""

from __future__ import annotations

import json
import shutil

import click

from secretmem.doctor import System, examine, worst
from secretmem.doctor.report import as_dict, as_lines


_EXIT = {"unavailable": 69, "finding": 1}

_COLOURS = {
    "ok": "green",
    "note": "cyan",
    "unknown": "yellow",
    "finding": "red",
    "unavailable": "red",
}

_EPILOG = """\b
Examples:
  $ secretmem doctor --json | jq '.findings[] | {status, what, remedy}'
  $ secretmem doctor --unit app.service

Exit status: 0 fine, 1 a finding, 2 usage, 69 secret memory is unavailable.
Notes and unknowns do not count as findings.
"""


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--unit",
    metavar="NAME",
    help="Judge the files of this systemd unit, not of the own one.",
)
@click.pass_context
def command(ctx: click.Context, *, as_json: bool, unit: str | None) -> None:
    """
    Tell what this machine does with secret memory.

    Looks at the kernel, its switch and its known bugs, at what confines
    this process (container, seccomp, systemd, security modules), at
    RLIMIT_MEMLOCK and who holds it, and at the places where memory goes to
    disk.  Each finding names its evidence, its consequence and the exact
    line that changes it.  Changes nothing.  Root sees more.
    """
    system = System(unit=unit)
    findings = examine(system)
    if as_json:
        click.echo(json.dumps(as_dict(system, findings), indent=2))
    else:
        width = min(shutil.get_terminal_size().columns, 100)
        for status, line in as_lines(system, findings, width):
            colour = _COLOURS.get(status)
            click.echo(click.style(line, fg=colour) if colour else line)
    ctx.exit(_EXIT.get(worst(findings), 0))
