"""`secretmem prove --residue`: ours leaves nothing, the others show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from attack.test_command import run
from secretmem.prove import residue, residue_html
from secretmem.prove import residue_victim as victim
from secretmem.prove.residue import (
    LIBRARIES,
    MOMENTS,
    OPERATIONS,
    OURS,
    Cell,
    Residues,
    Samples,
    Seen,
)
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path


SAMPLES = int(os.environ.get("SECRETMEM_SAMPLES", "20"))

NOTHING = Seen(0, 0, 0, (), ())
SHOWN = Seen(1, 32, 0, ("seed, plain",), ("heap",))


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_ours_leaves_nothing_and_the_others_show(tmp_path: Path) -> None:
    """Table, JSON and page; every operation that a library has is there."""
    data, page = tmp_path / "r.json", tmp_path / "r.html"
    done = run(
        *("prove", "--residue", str(SAMPLES)),
        *("--json", str(data), "--html", str(page)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words = "secretmem left nothing in ordinary memory; PyNaCl and "
    assert words in done.stdout.replace("\n", " ")
    found = json.loads(data.read_text("utf-8"))
    cells = {(c["library"], c["operation"]): c for c in found["cells"]}
    assert set(cells) == {(a, b) for a in LIBRARIES for b in OPERATIONS}
    missing = {name for name, cell in cells.items() if cell["missing"]}
    assert missing == {("PyNaCl", "RSA-2048")}
    for name, cell in cells.items():
        if name in missing:
            continue
        assert set(cell["moments"]) == set(MOMENTS)
        assert cell["samples"]["taken"] == SAMPLES
        ours = name[0] == OURS
        for seen in cell["moments"].values():
            assert not ours or not (seen["pieces"] or seen["registers"])
        if ours:
            assert not cell["samples"]["with_memory"]
        else:
            assert cell["moments"]["used"]["pieces"]
            assert cell["samples"]["with_memory"] >= 0.95 * SAMPLES
    assert "round keys" in page.read_text("utf-8")


@pytest.mark.parametrize(
    "arguments,words",
    [
        (("--residue", "0"), "0 is not in the range"),
        (("--residue", "--hold"), "runs no attacks"),
        (("--residue", "--only", "gdb"), "runs no attacks"),
        (("--residue", "--html", "/no/such/page"), "no such folder"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, before anything is run."""
    done = run("prove", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def _cell(library: str, seen: Seen, with_memory: int) -> Cell:
    return Cell(
        library,
        "Ed25519",
        "1",
        dict.fromkeys(MOMENTS, seen),
        Samples(100, with_memory, 5),
    )


def _verdict(*cells: Cell) -> Residues:
    return Residues(cells, 1000, 1.0)


def test_the_verdict() -> None:
    """A copy of ours, a control that shows nothing, a blind look: findings."""
    ours, other = _cell(OURS, NOTHING, 0), _cell("PyNaCl", SHOWN, 100)
    assert _verdict(ours, other).exit_code == 0
    assert _verdict(ours, _cell("PyNaCl", SHOWN, 95)).exit_code == 0
    for bad, words in (
        ((_cell(OURS, SHOWN, 0), other), "Ed25519 by secretmem left copies"),
        ((_cell(OURS, NOTHING, 1), other), "left copies"),
        ((_cell(OURS, replace(NOTHING, registers=1), 0), other), "left"),
        ((ours, _cell("PyNaCl", NOTHING, 100)), "control, did not show"),
        ((ours, _cell("PyNaCl", SHOWN, 94)), "control, did not show"),
    ):
        assert _verdict(*bad).exit_code == 1
        assert words in _verdict(*bad).sentence
    blind = _cell(OURS, NOTHING, 0)
    blind.broken = "saw nothing"
    assert _verdict(blind, other).exit_code == 1
    alone = _verdict(ours, Cell("PyNaCl", "Ed25519", "", missing="pip"))
    assert alone.exit_code == 0
    assert "no other library is installed" in alone.sentence


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
def test_without_the_others_their_columns_say_how_to_install() -> None:
    """As after `make prove` alone: what is missing, and the command."""
    code = (
        "import sys\n"
        "from importlib import metadata\n"
        "there = metadata.version\n"
        "def version(name):\n"
        "    if name in ('cryptography', 'PyNaCl'):\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return there(name)\n"
        "metadata.version = version\n"
        "sys.argv = ['secretmem', 'prove', '--residue', '2']\n"
        "from secretmem.cli.main import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PyNaCl is not installed: pip install pynacl" in done.stdout
    assert "pip install cryptography" in done.stdout
    assert "no other library is installed" in done.stdout


def test_every_library_offers_what_is_compared() -> None:
    """All but RSA by libsodium."""
    offered = {
        (library, each)
        for library in LIBRARIES
        for each in OPERATIONS
        if victim.offers(library, each)
    }
    every = {(a, b) for a in LIBRARIES for b in OPERATIONS}
    assert every - offered == {("PyNaCl", "RSA-2048")}
    assert set(residue.INSTALL) == set(LIBRARIES) - {OURS}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.elements.append(tag)


def test_texts_are_escaped() -> None:
    """Nothing of a report adds elements to the page."""
    cells = [
        replace(_cell(library, SHOWN, 100), operation=operation)
        for library in LIBRARIES
        for operation in OPERATIONS
    ]
    cells[0].broken = "<script>"
    cells[1].version = "<script>alert(1)</script>"
    reader = _Reader()
    reader.feed(residue_html.page(_verdict(*cells)))
    assert "script" not in reader.elements
    assert reader.elements.count("table") == len(OPERATIONS)
