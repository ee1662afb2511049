"""Every example of the documentation runs and prints what is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from docs import blocks, shell
from support.patience import PATIENCE


DRIVER = Path(__file__).with_name("session.py")

SESSIONS = [
    session for page in blocks.pages() for session in blocks.sessions(page)
]


def _marks(session: blocks.Session) -> list[pytest.MarkDecorator]:
    marks = []
    for need in sorted(session.needs):
        name, _, argument = need.partition(":")
        mark = getattr(pytest.mark, f"needs_{name}")
        marks.append(mark(argument) if argument else mark)
    return marks


def _write(session: blocks.Session, folder: Path) -> None:
    for name, text in session.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def run_python(session: blocks.Session, folder: Path) -> str:
    """Run Python blocks in a child; return what it says, "" if all is well."""
    spec = {
        "typed": session.typed,
        "blocks": [
            {
                "place": block.place,
                "line": block.line,
                "language": block.language,
                "text": block.text,
            }
            for block in session.blocks
        ],
    }
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(spec), "utf-8")
    child = subprocess.run(
        [sys.executable, str(DRIVER), str(file)],
        cwd=folder,
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if child.returncode == 0 and not child.stdout and not child.stderr:
        return ""
    return f"status {child.returncode}\n{child.stdout}{child.stderr}"


def run_shell(session: blocks.Session, folder: Path) -> str:
    """Run shell blocks; return what differs, "" if nothing does."""
    run = shell.run_unprivileged if session.unprivileged else shell.run
    return "\n".join(
        text for block in session.blocks for text in run(block, folder)
    )


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(each, id=each.name, marks=_marks(each))
        for each in SESSIONS
    ],
)
def test_example(session: blocks.Session, tmp_path: Path) -> None:
    """It does what the page says."""
    folder = tmp_path / "example"
    folder.mkdir()
    _write(session, folder)
    run = run_python if session.kind == "python" else run_shell
    said = run(session, folder)
    assert not said, said
