"""
The report as one page to show to others: no script, nothing from outside.

At the top the verdict and the matrix as a picture, below it one line for
each attack with the evidence behind each cell.
"""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING

from secretmem.prove import kinds
from secretmem.prove.attack import SUCCESS, Outcome, Verdict


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.prove.attack import Cell, Row
    from secretmem.prove.report import Report


STYLE = """
:root { --ink: #1d2433; --soft: #5b6478; --line: #dfe3ea; --paper: #fff;
  --leak: #c8372d; --kept: #1f8a4c; --limit: #c98a12; --none: #c3c9d4;
  --back: #f5f6f9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9f0;
  --soft: #9aa4b8; --line: #333b4b; --paper: #171c26; --back: #10141c;
  --none: #4a5366; --leak: #e5594e; --kept: #38b26c; --limit: #e0a83c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 34px 0 8px; }
.soft, footer { color: var(--soft); }
.verdict { border-left: 6px solid var(--kept); background: var(--paper);
  padding: 14px 18px; margin: 18px 0; font-size: 18px; }
.verdict.bad { border-color: var(--leak); }
dl { display: grid; grid-template-columns: 7.5em 1fr; gap: 2px 10px;
  margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }
.card { background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; padding: 16px 18px; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .head { font-weight: 600; }
svg .group { fill: var(--soft); }
svg a:hover rect { stroke: var(--ink); stroke-width: 1.5; }
.leak { fill: var(--leak); } .kept { fill: var(--kept); }
.limit { fill: var(--limit); } .none { fill: var(--none); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px;
  margin: 12px 0 0; font-size: 13px; color: var(--soft); }
.legend i, .mark { display: inline-block; width: 11px; height: 11px;
  border-radius: 2px; margin-right: 6px; }
i.leak, .mark.leak { background: var(--leak); }
i.kept, .mark.kept { background: var(--kept); }
i.limit, .mark.limit { background: var(--limit); }
i.none, .mark.none { background: var(--none); }
article { background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px 16px; margin: 10px 0; }
article:target { outline: 2px solid var(--ink); }
article h3 { margin: 0; font-size: 16px; }
article p { margin: 2px 0 8px; color: var(--soft); font-size: 14px; }
.cells { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
details { border: 1px solid var(--line); border-radius: 6px;
  padding: 6px 10px; font-size: 14px; }
summary { cursor: pointer; }
summary small { color: var(--soft); }
details div { margin-top: 6px; font: 12px/1.45 ui-monospace, monospace;
  overflow-wrap: anywhere; }
footer { margin-top: 30px; font-size: 13px; }
@media (max-width: 720px) { .cells { grid-template-columns: 1fr; } }
"""

# The picture: sizes in its own units.
_LEFT, _COLUMN, _ROW, _GAP = 330, 210, 22, 26

_LEGEND = (
    ("leak", "read or changed"),
    ("kept", "refused, or not there"),
    ("limit", "readable, as documented"),
    ("none", "no target, or not run here"),
)

_COLOUR_OF_VERDICT = {
    Verdict.KEPT: "kept",
    Verdict.DOCUMENTED: "limit",
    Verdict.SHOWN: "limit",
}


def page(report: Report) -> str:
    """Return the page, complete and self-contained."""
    setting = report.setting
    bad = "" if report.exit_code == 0 else " bad"
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    body = "\n".join(_articles(report))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>secretmem prove: {escape(setting.kernel)}</title>
<style>{STYLE}</style>
</head>
<body><main>
<h1>What attackers read from memory</h1>
<p class="soft">secretmem prove, {made}, {report.seconds:.1f} seconds</p>
<p class="verdict{bad}">{escape(report.sentence)}</p>
<div class="card"><dl>{"".join(_facts(report))}</dl></div>
<h2>The matrix</h2>
<div class="card">
{_picture(report)}
<p class="legend">{"".join(_legend())}</p>
</div>
{body}
<footer>Each victim held a fresh random needle of 32 bytes. Attackers were
processes of their own and knew where to look. A row counts only if its
attack got the needle from ordinary memory: that is its control. No needle
is shown on this page, and none exists any more.</footer>
</main></body>
</html>
"""


def _facts(report: Report) -> Iterator[str]:
    """Yield the facts about the machine and the kinds."""
    setting = report.setting
    yield _fact("attacker", f"{setting.user} on this machine")
    yield _fact("kernel", f"{setting.kernel}, {setting.machine}")
    for kind, made_of in setting.made_of.items():
        gate = setting.gate if kind in kinds.SECRET_KINDS else ""
        yield _fact(kind, f"{made_of}{gate and f', gate {gate}'}")
    if setting.unavailable is not None:
        yield _fact("not here", setting.unavailable.message)


def _fact(name: str, text: str) -> str:
    """Return one fact."""
    return f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"


def _legend() -> Iterator[str]:
    """Yield what the colours mean."""
    for colour, text in _LEGEND:
        yield f'<span><i class="{colour}"></i>{text}</span>'


def _picture(report: Report) -> str:
    """Return the matrix as an SVG, each field a link to its evidence."""
    names = report.setting.kinds
    parts = [
        f'<text class="head" x="{_LEFT + i * _COLUMN}" y="16">{name}</text>'
        for i, name in enumerate(names)
    ]
    y = 24
    layer = ""
    for row in report.rows:
        if row.attack.layer != layer:
            layer = row.attack.layer
            y += _GAP
            parts.append(
                f'<text class="group" x="0" y="{y - 6}">{layer}</text>'
            )
        parts += _fields(row, names, y)
        y += _ROW
    width = _LEFT + _COLUMN * len(names)
    return (
        f'<svg viewBox="0 0 {width} {y + 4}" role="img" '
        f'aria-label="attacks by kind of memory">{"".join(parts)}</svg>'
    )


def _fields(row: Row, names: tuple[str, ...], y: int) -> Iterator[str]:
    """Yield the title and the coloured fields of one row."""
    title = escape(row.attack.title)
    yield f'<text x="12" y="{y + 14}">{title}</text>'
    for i, kind in enumerate(names):
        cell = row.cell(kind)
        x = _LEFT + i * _COLUMN
        label = escape(row.label(kind))
        yield (
            f'<a href="#{row.attack.name}"><rect class="{_colour(row, cell)}"'
            f' x="{x}" y="{y + 2}" width="16" height="16" rx="3"/>'
            f'<text x="{x + 23}" y="{y + 14}">{label}</text></a>'
        )


def _articles(report: Report) -> Iterator[str]:
    """Yield an article for each attack, under the title of its layer."""
    layer = ""
    for row in report.rows:
        if row.attack.layer != layer:
            layer = row.attack.layer
            yield f"<h2>{escape(layer)}</h2>"
        yield _article(row, report.setting.kinds)


def _article(row: Row, names: tuple[str, ...]) -> str:
    """Return what the attack is, the verdict and the evidence."""
    attack = row.attack
    if row.reason:
        cells = f"<p>not run here: {escape(row.reason)}</p>"
    else:
        shown = "".join(_details(row, kind) for kind in names)
        cells = f'<div class="cells">{shown}</div>'
    return f"""<article id="{attack.name}">
<h3>{escape(attack.title)}</h3>
<p>{escape(attack.explanation)} <b>{escape(row.verdict)}</b></p>
{cells}
</article>"""


def _details(row: Row, kind: str) -> str:
    """Return one cell with its evidence behind it."""
    cell = row.cell(kind)
    mark = f'<span class="mark {_colour(row, cell)}"></span>'
    evidence = cell.evidence if cell else "not tried"
    expected = row.attack.expectation(kind)
    return (
        f"<details><summary>{mark}<b>{escape(kind)}</b>: "
        f"{escape(row.label(kind))}</summary>"
        f"<div>{escape(evidence)}</div>"
        f"<small>expected: {escape(expected)}</small></details>"
    )


def _colour(row: Row, cell: Cell | None) -> str:
    """Return the class that colours a cell."""
    if cell is None or cell.outcome in (Outcome.NO_TARGET, Outcome.NOT_RUN):
        return "none"
    if cell.kind in kinds.SECRET_KINDS:
        return _COLOUR_OF_VERDICT.get(row.verdict, "leak")
    return "leak" if cell.outcome in SUCCESS else "kept"
