"""`secretmem model`: the same as `python -m secretmem.model`, by click."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from secretmem.cli.model import command
from secretmem.model import live


if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*arguments: str) -> Result:
    """Run the command with these words."""
    return CliRunner().invoke(command, arguments)


def test_history() -> None:
    """The story, and as JSON."""
    assert "memfd flag" in run("history").output
    rows = json.loads(run("history", "--json").output)
    assert rows[-1]["when"] == "2026-09"


def test_plan(tmp_path: Path) -> None:
    """Three ways; the same in JSON and in a page."""
    assert "the arena" in run("plan", "--secrets", "100").output
    page = tmp_path / "plan.html"
    made = run("plan", "--size", "4K", "--json", "--html", str(page))
    assert json.loads(made.output)["question"]["size"] == 4096
    assert "<polyline" in page.read_text("utf-8")


def test_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probes' rows are below the plan."""
    monkeypatch.setattr(
        live, "compare", lambda pages: live.Comparison(pages, 0.5, 2)
    )
    assert "+1.5" in run("plan", "--live").output


def test_no_live_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is shown, the reason too, and the exit code is 69."""

    def refuse(_pages: int) -> live.Comparison:
        raise live.UnavailableError("no counters here")

    monkeypatch.setattr(live, "compare", refuse)
    shown = run("plan", "--live")
    assert shown.exit_code == 69
    assert "the arena" in shown.stdout
    assert "no live comparison: no counters here" in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--size", "0"),
        ("plan", "--memory", "1M"),
        ("plan", "--secrets", "0"),
        ("replay",),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    """Wrong use is exit code 2."""
    assert run(*arguments).exit_code == 2
