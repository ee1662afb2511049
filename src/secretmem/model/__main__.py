"""`python -m secretmem.model history` and `plan`, without anything else."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from secretmem.model import history, options, plot, text
from secretmem.model.plan import FRAGMENTS, Question, plan


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code (0; usage errors exit with 2)."""
    asked = _parser().parse_args(arguments)
    run = _history if asked.command == "history" else _plan
    return run(asked)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "secretmem.model",
        description="The article's system, run: its history, and a plan.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    tale = commands.add_parser("history", help="the patch set's stages, run")
    tale.add_argument("--json", action="store_true")
    maker = commands.add_parser("plan", help="what N secrets do to a machine")
    maker.add_argument("--secrets", type=_count, default=1000)
    maker.add_argument("--size", type=_size, default=32)
    maker.add_argument("--memory", type=_memory, default="64G")
    maker.add_argument("--cpus", type=_count, default=2)
    maker.add_argument("--fragments", type=int, default=FRAGMENTS)
    maker.add_argument(
        "--live", action="store_true", help="probe this machine"
    )
    maker.add_argument("--html", type=Path, metavar="FILE")
    maker.add_argument("--json", action="store_true")
    return parser


def _history(asked: argparse.Namespace) -> int:
    if asked.json:
        _say(json.dumps(history.as_rows(), indent=2))
    else:
        _say("\n".join(text.history_lines()))
    return 0


def _plan(asked: argparse.Namespace) -> int:
    question = Question(
        secrets=asked.secrets,
        size=asked.size,
        memory=asked.memory,
        cpus=asked.cpus,
        fragments=asked.fragments,
    )
    found, missing = options.probes() if asked.live else ([], None)
    if missing:
        sys.stderr.write(f"secretmem: no live comparison: {missing}\n")
    if asked.html:
        asked.html.write_text(plot.page(question, found), "utf-8")
    if asked.json:
        _say(json.dumps(options.as_data(question, found), indent=2))
    elif not asked.html:
        _say("\n".join(text.plan_lines(question, plan(question), found)))
    return 0


def _count(words: str) -> int:
    number = int(words)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _size(words: str) -> int:
    try:
        return options.size(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _memory(words: str) -> int:
    memory = _size(words)
    if memory < options.SMALLEST_MEMORY:
        raise argparse.ArgumentTypeError("at least 16M")
    return memory


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")


if __name__ == "__main__":
    sys.exit(main())
