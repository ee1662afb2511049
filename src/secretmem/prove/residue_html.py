"""The residues as one page to show to others: no script, self-contained."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING

from secretmem.prove.html import STYLE
from secretmem.prove.residue import LIBRARIES, NONE, NOTHING, OPERATIONS


if TYPE_CHECKING:
    from secretmem.prove.residue import Cell, Residues


_TABLE = """
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 4px 10px 4px 0; vertical-align: top; }
td { border-top: 1px solid var(--line); }
"""


def page(found: Residues) -> str:
    """Return the page, complete and self-contained."""
    bad = " bad" if found.exit_code else ""
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    body = "\n".join(_operation(found, each) for each in OPERATIONS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>secretmem prove --residue</title>
<style>{STYLE}{_TABLE}</style>
</head>
<body><main>
<h1>What keys leave in ordinary memory</h1>
<p class="soft">secretmem prove --residue, {made}, {found.seconds:.1f}
seconds</p>
<p class="verdict{bad}">{escape(found.sentence)}</p>
{body}
<footer>Each process had a fresh key and a random value in plain sight, which
each look had to find. Pieces of eight bytes and more of the key and of what
is made of it count. Before the release a library that keeps the key in
ordinary memory shows it by nature. No key is shown on this page, and none
exists any more.</footer>
</main></body>
</html>
"""


def _operation(found: Residues, operation: str) -> str:
    """Return the table of an operation, and behind it what was found."""
    cells = [found.cell(library, operation) for library in LIBRARIES]
    heads = "".join(f"<th>{escape(_name(cell))}</th>" for cell in cells)
    rows = "\n".join(
        f"<tr><td>{escape(title)}</td>"
        + "".join(f"<td>{_coloured(title, text)}</td>" for text in texts)
        + "</tr>"
        for title, texts in found.rows(operation)
    )
    details = "\n".join(_details(cell) for cell in cells if cell.moments)
    return f"""<h2>{escape(operation)}</h2>
<div class="card"><table>
<tr><th></th>{heads}</tr>
{rows}
</table>
{details}
</div>"""


def _name(cell: Cell) -> str:
    if cell.missing:
        return f"{cell.library}: {cell.missing}"
    return f"{cell.library} {cell.version}"


def _coloured(title: str, text: str) -> str:
    colour = "leak"
    if text == NONE:
        colour = "none"
    elif text == NOTHING or text.startswith("0 of"):
        colour = "kept"
    elif title.endswith("registers"):
        colour = "limit"
    return f'<span class="mark {colour}"></span>{escape(text)}'


def _details(cell: Cell) -> str:
    """Return which forms were found where, one line for each moment."""
    lines = "".join(
        f"<div>{escape(moment)}: {escape(', '.join(seen.forms) or NOTHING)}"
        f"{escape(' in ' + ', '.join(seen.places) if seen.places else '')}"
        "</div>"
        for moment, seen in cell.moments.items()
    )
    return (
        f"<details><summary>{escape(_name(cell))}: which forms, and where"
        f"</summary>{lines}</details>"
    )
