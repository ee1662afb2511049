"""The ``secretmem model`` program: parse, compute, print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from secretmem.cli import voice
from secretmem.model import history, options, plot, text
from secretmem.model.plan import FRAGMENTS, Question, plan


_HISTORY_EPILOG = """\b
Example:
  $ secretmem model history --json | jq '.[] | {when, name, splits}'

Exit status: 0 fine, 2 usage.
"""

_PLAN_EPILOG = """\b
Examples:
  $ secretmem model plan --secrets 100000 --memory 256G --cpus 64
  $ secretmem model plan --secrets 1000 --live
  $ secretmem model plan --secrets 1000000 --html plan.html

--live takes up to 256 pages of secret memory once; the entries of the
direct map that this splits stay split until the machine restarts.

Exit status: 0 fine, 2 usage, 69 no live comparison here.
"""


class Size(click.ParamType[int]):
    """A size in bytes: 4096, 32K, 64G."""

    name = "size"

    def __init__(self, least: int = 1) -> None:
        """Refuse sizes under `least` bytes."""
        self.least = least

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Read the size, or complain as click does."""
        try:
            size = options.size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if size < self.least:
            self.fail(f"at least {text.size_text(self.least)}", param, ctx)
        return size


_EPILOG = """\b
Example:
  $ secretmem model plan --secrets 100000 --memory 256G --cpus 64
"""


@click.group(epilog=_EPILOG)
def command() -> None:
    """
    Run the system of the article on a model kernel.

    The model is Python that has the kernel's rules: pages, the direct map
    and its splits, processes, secretmem files, and who is refused.  It
    needs no privilege and no secret memory.
    """


@command.command("history", epilog=_HISTORY_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def history_command(*, as_json: bool) -> None:
    """
    Tell the patch set's stages, 2019 to today, by running each.

    For each stage: how a program gets an area, what it hides, whether it
    may be executable, what hibernation does, and what sixteen secrets cost.
    """
    if as_json:
        click.echo(json.dumps(history.as_rows(), indent=2))
    else:
        click.echo("\n".join(text.history_lines()))


@command.command("plan", epilog=_PLAN_EPILOG)
@click.option(
    "--secrets",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="How many secrets.",
)
@click.option(
    "--size", type=Size(), default="32", help="Bytes of each: 32, 4K."
)
@click.option(
    "--memory",
    type=Size(options.SMALLEST_MEMORY),
    default="64G",
    help="RAM of the machine: 64G.",
)
@click.option(
    "--cpus", type=click.IntRange(min=1), default=2, help="Processors."
)
@click.option(
    "--fragments",
    type=click.IntRange(min=0),
    default=FRAGMENTS,
    show_default=True,
    help="Scattered small free pieces of memory.",
)
@click.option(
    "--live", is_flag=True, help="Compare small numbers with this machine."
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write drawings and figures to one HTML page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def plan_command(
    ctx: click.Context,
    /,
    *,
    live: bool,
    html: Path | None,
    as_json: bool,
    **machine: int,
) -> None:
    """
    Tell what holding many secrets does to a machine.

    Locked bytes, entries of the direct map split, interrupts and time, for
    a file per secret, for the arena of this package, and for a range
    reserved at boot; and what published benchmarks let one expect of it.
    """
    question = Question(**machine)
    found, missing = options.probes() if live else ([], None)
    if missing:
        voice.complain(f"no live comparison: {missing}")
    if html:
        html.write_text(plot.page(question, found), "utf-8")
    if as_json:
        click.echo(json.dumps(options.as_data(question, found), indent=2))
    elif not html:
        lines = text.plan_lines(question, plan(question), found)
        click.echo("\n".join(lines))
    if missing:
        ctx.exit(voice.UNAVAILABLE)


if __name__ == "__main__":
    sys.exit(command())
