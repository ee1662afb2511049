"""What the pages show as recorded is what the programs say."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from docs import blocks, recorded, shell
from secretmem.prove import attacks
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path


# Outputs that are the same on every machine.
FIXED = [
    (page, name)
    for page, source in recorded.SOURCES.items()
    if source is not recorded.prove
    for name in blocks.recorded(page)
]

PROVE = blocks.recorded("programs/prove.md")["prove"]


def test_every_recorded_output_has_its_source() -> None:
    """None of them is a claim of the writer."""
    found = {page for page in blocks.pages() if blocks.recorded(page)}
    assert found == set(recorded.SOURCES)


@pytest.mark.parametrize("page, name", FIXED)
def test_recorded_machine(page: str, name: str) -> None:
    """The output of a recorded machine is the same everywhere."""
    shown = blocks.recorded(page)[name]
    assert shown == recorded.SOURCES[page](name)


def _rows(text: str) -> dict[str, str]:
    """Return what came out for secret memory, by the title of the row."""
    head = re.search("^ +ordinary +mlocked +secretmem$", text, re.MULTILINE)
    assert head is not None
    first, last = (head[0].index(word) for word in ("ordinary", "secretmem"))
    return {
        line[:first].strip(): line[last:]
        for line in text.splitlines()
        if re.match("  [^ ]", line) and len(line) > last
    }


def test_the_table_of_prove_is_read() -> None:
    """Its rows are understood, with all kinds of outcomes."""
    rows = _rows(PROVE)
    assert rows["process_vm_readv"] == "refused EFAULT"
    assert rows["read past a neighbouring buffer"] == "refused SIGSEGV"
    assert rows["gdb: dump memory"] == "refused"
    assert rows["core file after SIGABRT"] == "absent"
    assert rows["code injected with ptrace"] == "readable"


def test_the_table_of_prove_is_complete() -> None:
    """It has the attacks of the default set, and no others."""
    standard = {
        attack.title
        for attack in map(attacks.named, attacks.NAMES)
        if attack.standard
    }
    left_out = re.findall(r"^  (\S.*?) {2,}not run$", PROVE, re.MULTILINE)
    assert set(_rows(PROVE)) | set(left_out) == standard


@pytest.mark.needs_secretmem
def test_the_table_of_prove_is_true(tmp_path: Path) -> None:
    """Each row that runs here comes out as the page shows it."""
    file = tmp_path / "report.json"
    done = subprocess.run(
        ["secretmem", "prove", "--json", str(file)],
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    live = {
        row["title"]: _secretmem(row)
        for row in json.loads(file.read_text("utf-8"))["rows"]
        if row["verdict"] != "not run"
    }
    shown = _rows(PROVE)
    assert live
    for title, outcome in live.items():
        assert outcome == shown.get(title, outcome), title


def _secretmem(row: dict[str, Any]) -> str:
    """Return the cell of secret memory as the table words it."""
    (cell,) = (c for c in row["cells"] if c["kind"] == "secretmem")
    if row["promise"].startswith("readable") and cell["outcome"] == "leaked":
        return "readable"
    code = f" {cell['code']}" if cell["outcome"] == "refused" else ""
    return f"{cell['outcome']}{code}".rstrip()
