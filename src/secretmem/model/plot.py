"""
The plan as a picture: one page of HTML with drawings in SVG, nothing else.

Two drawings over the number of secrets, both axes logarithmic: entries of
the direct map split, and memory locked. No script, no font, no network.
"""

from __future__ import annotations

import html
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from secretmem.model import text
from secretmem.model.plan import plan


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from secretmem.model.live import Comparison
    from secretmem.model.plan import Answer, Question


COLOURS: Final = ("#b3261e", "#1a6b3c", "#2b5aa8")
"""One for each way of the plan, told apart by the dashes too."""
DASHES: Final = ("none", "8 4", "2 3")

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 40, 16, 44
_ROUNDING = 1e-9

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 46em; margin: 2em auto;
       padding: 0 1em; color: #1c1c1c; background: #fff; }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px; }
th, td { padding: .25em .6em; border-bottom: 1px solid #ccc;
         text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { font-size: 12px; }
svg { width: 100%; height: auto; }
svg text { font: 12px sans-serif; fill: #444; }
.wide { overflow-x: auto; }
"""


class Scale:
    """A logarithmic axis of whole powers of `base`, drawn begin to end."""

    def __init__(
        self, low: float, high: float, base: int, begin: float, end: float
    ) -> None:
        """Hold `low` to `high`."""
        self.base = base
        self.first = math.floor(math.log(low, base) + _ROUNDING)
        self.last = max(
            self.first + 1, math.ceil(math.log(high, base) - _ROUNDING)
        )
        self.begin = begin
        self.end = end

    def at(self, value: float) -> float:
        """Give the place of `value`; 0 lies on the lowest line."""
        power = math.log(value, self.base) if value > 0 else self.first
        share = max(power - self.first, 0) / (self.last - self.first)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[int]:
        """Give the values of the lines."""
        return [self.base**power for power in range(self.first, self.last + 1)]


def page(question: Question, comparisons: Sequence[Comparison] = ()) -> str:
    """Draw the plan for up to `question.secrets` secrets; the HTML."""
    counts = steps(question.secrets)
    plans = [plan(replace(question, secrets=count)) for count in counts]
    title = f"Holding {question.secrets} secrets of {question.size} bytes"
    notes = "\n".join(text.plan_lines(question, plans[-1], comparisons))
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>{html.escape(title)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            *_legend(plans[-1]),
            "<h2>2 MiB entries of the direct map split, expected</h2>",
            "<p>Zero lies on the lowest line.</p>",
            *_drawing(counts, plans, _SPLITS),
            "<h2>Memory locked</h2>",
            *_drawing(counts, plans, _LOCKED),
            "<h2>In figures</h2>",
            f'<div class="wide"><pre>{html.escape(notes)}</pre></div>',
            "</body></html>",
            "",
        )
    )


def steps(most: int) -> list[int]:
    """Give the numbers of secrets to draw: 1, 2, 5, 10 ... and `most`."""
    found = {1, most}
    power = 1
    while power < most:
        found.update(n for n in (power, 2 * power, 5 * power) if n < most)
        power *= 10
    return sorted(found)


def _legend(answers: Sequence[Answer]) -> Iterator[str]:
    yield "<ul>"
    for answer, colour, dash in zip(answers, COLOURS, DASHES, strict=True):
        yield (
            '<li><svg viewBox="0 0 40 8" style="width:40px" role="img" '
            f'aria-label="line"><line x1="0" y1="4" x2="40" y2="4" '
            f'stroke="{colour}" stroke-width="2.5" '
            f'stroke-dasharray="{dash}"/></svg> {html.escape(answer.way)}</li>'
        )
    yield "</ul>"


class _Value(NamedTuple):
    """What a drawing shows: the value of an answer, base, words."""

    of: Callable[[Answer], int]
    base: int
    say: Callable[[int], str]


_SPLITS: Final = _Value(lambda each: each.splits[1], 10, "{:,}".format)
# Powers of 16 are 4 KiB, 64 KiB, 1 MiB and so on.
_LOCKED: Final = _Value(lambda each: each.locked, 16, text.size_text)


def _drawing(
    counts: Sequence[int], plans: Sequence[Sequence[Answer]], value: _Value
) -> Iterator[str]:
    """Draw one value of every way over the number of secrets."""
    series = [
        [value.of(each) for each in column]
        for column in zip(*plans, strict=True)
    ]
    heights = [height for line in series for height in line if height > 0]
    least, most = min(heights, default=1), max(heights, default=1)
    across = Scale(1, max(counts), 10, _LEFT, _WIDTH - _RIGHT)
    up = Scale(least, most, value.base, _HEIGHT - _BOTTOM, _TOP)
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    yield from _axes(across, up, value.say)
    for line, colour, dash in zip(series, COLOURS, DASHES, strict=True):
        points = " ".join(
            f"{across.at(count):.1f},{up.at(height):.1f}"
            for count, height in zip(counts, line, strict=True)
        )
        yield (
            f'<polyline points="{points}" fill="none" stroke="{colour}" '
            f'stroke-width="2.5" stroke-dasharray="{dash}"/>'
        )
    yield "</svg>"


def _axes(
    across: Scale, up: Scale, say: Callable[[int], str]
) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    for count in across.ticks():
        x = across.at(count)
        yield _rule(x, _TOP, x, bottom)
        yield _label(x, bottom + 16, "middle", f"{count:,}")
    for height in up.ticks():
        y = up.at(height)
        yield _rule(_LEFT, y, _WIDTH - _RIGHT, y)
        yield _label(_LEFT - 6, y + 4, "end", say(height))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield _label(middle, _HEIGHT - 8, "middle", "secrets")


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        'stroke="#ddd"/>'
    )


def _label(x: float, y: float, anchor: str, words: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{html.escape(words)}</text>"
    )
