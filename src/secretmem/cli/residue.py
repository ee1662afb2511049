"""``secretmem prove --residue``: run, show, write."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from secretmem.cli import voice


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretmem.prove.residue import Residues


# Fits 80 columns.
_TITLE, _COLUMNS, _WIDTH = 20, (17, 21, 0), 78


def show_residues(
    samples: int,
    json_file: Path | None,
    html_file: Path | None,
    write_file: Callable[[Path, str], None],
) -> int:
    """Run all operations by all libraries; return the exit code."""
    from secretmem.audit import AuditError
    from secretmem.exceptions import LimitError, UnavailableError
    from secretmem.prove import residue_html
    from secretmem.prove.residue import residues

    progress = voice.Progress()
    try:
        found = residues(samples, begin=progress.say)
    except AuditError as error:
        progress.clear()
        voice.complain(str(error), *([error.hint] if error.hint else []))
        return voice.UNAVAILABLE
    except (UnavailableError, LimitError) as error:
        progress.clear()
        voice.complain(f"no secret memory for the keys: {error}")
        return voice.UNAVAILABLE
    progress.clear()
    _print(found)
    if json_file is not None:
        text = json.dumps(found.as_dict(), indent=2)
        write_file(json_file, text + "\n")
    if html_file is not None:
        write_file(html_file, residue_html.page(found))
    return found.exit_code


def _print(found: Residues) -> None:
    """Print the table and the verdict."""
    from secretmem.prove.residue import LIBRARIES, OPERATIONS

    console = voice.console()
    head = "".join(
        _head(found, name).ljust(width)
        for name, width in zip(LIBRARIES, _COLUMNS, strict=True)
    )
    console.print(Text(" " * _TITLE + head.rstrip(), "bold"))
    for operation in OPERATIONS:
        console.print(Text(f"\n{operation}", "bold"))
        for title, texts in found.rows(operation):
            console.print(_row(title, texts))
    missing = {c.library: c.missing for c in found.cells if not c.version}
    for library, command in missing.items():
        console.print(Text(f"\n{library} is not installed: {command}"))
    console.print()
    colour = "bold red" if found.exit_code else "bold green"
    sentence = f"{found.sentence} ({found.seconds:.1f} s)"
    for line in textwrap.wrap(sentence, _WIDTH):
        console.print(Text(line, colour))


def _head(found: Residues, library: str) -> str:
    versions = {c.version for c in found.cells if c.library == library}
    return f"{library} {' '.join(versions)}".strip()


def _row(title: str, texts: list[str]) -> Text:
    from secretmem.prove.residue import NONE, NOTHING

    line = Text(f"  {title}".ljust(_TITLE))
    for text, width in zip(texts, _COLUMNS, strict=True):
        clean = text == NOTHING or text.startswith("0 of")
        colour = "dim" if text == NONE else ("green" if clean else "red")
        if title.endswith("registers") and not clean:
            colour = "yellow"  # where the processor computes
        line.append(text.ljust(width - 1) + " ", colour)
    line.rstrip()
    return line
