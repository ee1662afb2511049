"""The history and the plan in words and tables for a terminal."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from secretmem.model import cost, history
from secretmem.model.history import SECRETS


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secretmem.model.history import Observation
    from secretmem.model.live import Comparison
    from secretmem.model.plan import Answer, Question


_WIDTH: Final = 78
_UNITS: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def size_text(count: int) -> str:
    """Give bytes in the largest unit that leaves at least 1."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} B"


def time_text(nanoseconds: float) -> str:
    """Give a duration in a readable unit."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if nanoseconds >= unit:
            return f"{nanoseconds / unit:.3g} {name}"
    return f"{nanoseconds:.0f} ns"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lay out rows in columns; the first row is the heading."""
    widths = [
        max(len(cell) for cell in column) for column in zip(*rows, strict=True)
    ]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(
                zip(row, widths, strict=True)
            )
        ]
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def history_lines() -> Iterator[str]:
    """Tell the history, stage by stage, then show it in one table."""
    rows: list[tuple[str, ...]] = [_HISTORY_HEADING]
    for stage, seen in history.story():
        yield f"{stage.when}  {stage.name}  [{stage.rows}]"
        yield from _indented(f"{stage.what}; {stage.why}.")
        yield from _indented(f"An area: {seen.steps}.")
        if stage.config.uncached_mode:
            other = history.observe(stage.config, uncached=True)
            yield from _indented(_uncached_text(seen, other))
        yield ""
        rows.append(_history_row(stage.when, stage.name, seen))
    yield f"Holding {SECRETS} secrets of 32 bytes, a file each, costs:"
    yield ""
    yield from table(rows)
    yield ""
    yield from _wrapped(
        "Root's read is refused and the direct map has a hole in every "
        "stage; the refusal of the first forms is taken to be the merged "
        "one. Prices: " + _price_text() + "."
    )


_HISTORY_HEADING = (
    "stage",
    "default",
    "exec",
    "hibernate",
    "splits",
    "flush",
    "taken",
    "price",
)


def _history_row(when: str, name: str, seen: Observation) -> tuple[str, ...]:
    title = re.split(r",| \(", name, maxsplit=1)[0]
    short = {
        "refused": "refused",
        "image holds the secret": "leaks",
        "image without": "works",
    }
    return (
        f"{when} {title}",
        "on" if seen.default else "off",
        seen.executable,
        short[seen.hibernation],
        str(seen.splits),
        str(seen.flushes),
        size_text(seen.taken),
        time_text(seen.nanoseconds),
    )


def _uncached_text(cached: Observation, uncached: Observation) -> str:
    return (
        f"Its uncached mode leaves {uncached.cached_lines} cache lines with "
        f"the secret while it is in use, the other {cached.cached_lines}; "
        f"the same work costs {time_text(uncached.nanoseconds)} instead of "
        f"{time_text(cached.nanoseconds)}."
    )


def _price_text() -> str:
    return ", ".join(
        f"{name} {time_text(each.nanoseconds)} ({each.source})"
        for name, each in cost.PRICES.items()
    )


def plan_lines(
    question: Question,
    answers: Sequence[Answer],
    comparisons: Iterable[Comparison] = (),
) -> Iterator[str]:
    """Show the plan, and the live probes if there are any."""
    yield from _wrapped(
        f"{question.secrets} secrets of {question.size} bytes on a machine "
        f"with {size_text(question.memory)} and {question.cpus} processors, "
        f"{question.fragments} scattered free pieces."
    )
    yield ""
    yield from table([_PLAN_HEADING, *(_plan_row(each) for each in answers)])
    yield ""
    yield from _wrapped(_plan_note())
    rows = [
        (
            str(each.pages),
            f"{each.expected:.1f}",
            str(each.measured),
            f"{each.difference:+.1f}",
        )
        for each in comparisons
    ]
    if rows:
        yield ""
        yield "This machine now, in 2 MiB entries split (other programs too):"
        yield ""
        heading = ("pages", "expected", "measured", "difference")
        yield from table([heading, *rows])


_PLAN_HEADING = (
    "way",
    "files",
    "locked",
    "2M split, expected",
    "least..most",
    "interrupts",
    "warm-up",
    "4K share",
    "build time",
)


def _plan_row(answer: Answer) -> tuple[str, ...]:
    low, expected, high = answer.splits
    least, most = answer.slowdown
    return (
        answer.way,
        str(answer.files),
        size_text(answer.locked),
        str(expected),
        f"{low}..{high}",
        str(answer.interrupts),
        time_text(answer.warm_up),
        f"{answer.share_4k:.2%}",
        f"{least:+.2%}..{most:+.2%}",
    )


def _plan_note() -> str:
    low, high = cost.slowdown_range()
    sizes = ", ".join(f"{s} {p} %" for s, p in cost.BEST_SIZE.items())
    return (
        "Splits are for the machine's uptime: nothing merges entries again. "
        "Build time: with all of memory in 4 KiB entries a kernel build took "
        f"{low:+.1%} to {high:+.1%} (Rapoport 2020); between none and all a "
        "straight line is assumed. Intel's 259 tests (Xing 2021) were best "
        f"with {sizes}: no compelling evidence either way. The range at boot "
        "exists in no released kernel."
    )


def _indented(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="  "
    )


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH)
