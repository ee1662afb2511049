"""The rows as a table: on the terminal, as JSON, and in the documentation."""

from __future__ import annotations

import collections
import datetime as dt
import itertools
import json
import subprocess
from typing import TYPE_CHECKING

from lab.guest import qemu
from lab.rows import DIFFERS, EMPTY, FAILED


if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Sequence

    from lab.rows import Row


BEGIN = "<!-- table: written by `make lab`, not by hand -->"
END = "<!-- end of table -->"
TITLES = {
    "S1": "S1: nobody else reaches the memory",
    "S5": "S5: out of the kernel's direct map",
    "S5, exception": "S5, the exception: frames of the kernel's own image",
    "S10": "S10: a reserved range",
    "S10, S11": "S10 and S11: what it costs the direct map",
    "S12": "S12: CMA as the pool",
    "S13": "S13: hibernation",
    "S14": "S14: uncached mappings",
    "S15": "S15: the boot switch",
    "memlock": "RLIMIT_MEMLOCK, both ways of counting",
    "swap": "Swap",
    "sees it": "Who does see the secret",
    "gate": "The arena's gate",
}


def line(row: Row) -> str:
    """Return one row for the terminal."""
    return (
        f"{row.verdict:<14} {row.row:<13} {row.kernel:<26} {row.what}: "
        f"{row.observed}"
        + ("" if row.observed == row.expected else f", not {row.expected}")
        + f" [control: {row.control}]"
    )


def summary(rows: Sequence[Row]) -> str:
    """Count the rows that differ, and apart those that show nothing."""
    verdicts = collections.Counter(row.verdict for row in rows)
    told = (
        f"Of {len(rows)} rows {verdicts[DIFFERS]} differ from what is expected"
    )
    if verdicts[FAILED]:
        told += f", in {verdicts[FAILED]} the control failed"
    if verdicts[EMPTY]:
        told += f", in {verdicts[EMPTY]} there was nothing to see"
    return f"{told}."


def emulator() -> str:
    """Return the emulator's name and version."""
    told = subprocess.run(
        [qemu(), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()[0].split("(")[0].strip()


def write_json(
    rows: Sequence[Row],
    missing: Sequence[str],
    path: pathlib.Path,
) -> None:
    """Write all rows, with evidence, to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "date": _today(),
        "emulator": emulator(),
        "rows": [{**row._asdict(), "verdict": row.verdict} for row in rows],
        "not_run": list(missing),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or " "


def _section(title: str, rows: Iterable[Row]) -> list[str]:
    head = ("kernel", "what", "expected", "observed", "control", "evidence")
    lines = [
        f"### {title}",
        "",
        "| " + " | ".join(head) + " |",
        "|---" * len(head) + "|",
    ]
    for row in rows:
        observed = row.observed if row.fine else f"**{row.observed}**"
        cells = (
            *(row.kernel, row.what, row.expected, observed),
            *(row.control, row.evidence),
        )
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return [*lines, ""]


def markdown(rows: Sequence[Row], missing: Sequence[str]) -> str:
    """Return the table as Markdown, one section for each row of the system."""
    kernels = sorted({row.kernel for row in rows})
    lines = [
        (
            f"Run on {_today()} with {emulator()}, software emulation. "
            f"{summary(rows)}"
        ),
        "",
        f"Kernels: {', '.join(kernels)}.",
        "",
        *(f"Not run: {text}." for text in missing),
        *([""] if missing else []),
    ]
    order = {name: place for place, name in enumerate(TITLES)}
    by_row = sorted(rows, key=lambda row: order[row.row])
    for name, group in itertools.groupby(by_row, key=lambda row: row.row):
        lines += _section(TITLES[name], group)
    return "\n".join(lines)


def record(
    rows: Sequence[Row],
    missing: Sequence[str],
    path: pathlib.Path,
) -> None:
    """
    Put the table into the page at *path*, between its two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{path.name} has no place for the table"
        raise ValueError(msg)
    table = markdown(rows, missing)
    path.write_text(
        f"{before}{BEGIN}\n\n{table}\n{END}{after}",
        encoding="utf-8",
    )
