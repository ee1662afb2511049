"""The page to show to others."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from secretmem.prove import html
from secretmem.prove.attack import Attack, Cell, Layer, Outcome, Row
from secretmem.prove.report import Report
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path

    from secretmem.prove.runner import Runner
    from secretmem.prove.stage import Stage


class _Reader(HTMLParser):
    """Collects elements, ids, links and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.text = ""

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.elements.append(tag)
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag == "a":
            self.links.append(found.get("href") or "")
        self.resources += [
            value or ""
            for name, value in attrs
            if name in {"src", "data", "poster", "srcset", "xlink:href"}
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


@pytest.fixture(scope="session")
def page(runner: Runner, rows: dict[str, Row]) -> str:
    """Give the page of a whole run."""
    report = Report(runner.setting, tuple(rows.values()), 5.0)
    return html.page(report)


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    # Python 3.12 and later warn of fork beside faulthandler's thread.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def test_the_page_is_self_contained(page: str) -> None:
    """No script and nothing that is loaded from elsewhere."""
    reader = _read(page)
    assert reader.resources == []
    assert not {"script", "link", "iframe", "img", "object"} & set(
        reader.elements
    )
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page


def test_every_field_of_the_picture_leads_to_evidence(
    page: str, rows: dict[str, Row]
) -> None:
    """Each row has three fields, and each links to its article."""
    reader = _read(page)
    assert len(reader.links) == 3 * len(rows)
    assert {link.removeprefix("#") for link in reader.links} == set(rows)
    assert set(rows) <= reader.ids


def test_evidence_is_behind_every_cell(
    page: str, rows: dict[str, Row]
) -> None:
    """Each cell is in a <details> element that holds what was observed."""
    reader = _read(page)
    cells = [cell for row in rows.values() for cell in row.cells]
    assert reader.elements.count("details") == len(cells)
    for cell in cells:
        assert cell.evidence in reader.text


def _never(_stage: Stage, _kind: str) -> Cell:
    raise NotImplementedError


def test_texts_are_escaped(runner: Runner) -> None:
    """Evidence cannot add elements to the page."""
    attack = Attack("x", "<b>&", Layer.KERNEL, "<script>", _never)
    cell = Cell("ordinary", Outcome.LEAKED, "<script>alert(1)</script>")
    report = Report(runner.setting, (Row(attack, (cell,)),), 1.0)
    reader = _read(html.page(report))
    assert "script" not in reader.elements
    assert "<script>alert(1)</script>" in reader.text


@pytest.mark.needs_tool("chromium")
def test_a_browser_shows_it(page: str, tmp_path: Path) -> None:
    """Chromium opens the page and draws the picture with its colours."""
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(page, "utf-8")
    browser = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,1600",
    ]
    dom = subprocess.run(
        [*browser, "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout
    assert _read(dom).elements.count("rect") == page.count("<rect")
    subprocess.run(
        [*browser, f"--screenshot={picture}", file.as_uri()],
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 50_000
