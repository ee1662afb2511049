"""Counting marked pages: on the host, and by the probe in the guest."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import bench, markers


if TYPE_CHECKING:
    from pathlib import Path


def _page(marker: bytes, number: int) -> bytes:
    return (marker + number.to_bytes(4, "little")).ljust(4096, b"\xee")


def _file(path: Path, filler: int) -> Path:
    """Write 3 ordinary pages, one of them twice, and 2 secret ones."""
    ordinary = [_page(markers.ORDINARY, n) for n in (0, 1, 2, 2)]
    secret = [_page(markers.SECRET, n) for n in (7, 8)]
    path.write_bytes(b"\0" * filler + b"".join(ordinary + secret))
    return path


# Around the 4 MiB window of the host's scan and the probe's of 1 MiB.
EDGES = [0, 1, (1 << 20) - 9, (1 << 22) - 19, (1 << 22) - 16, (1 << 22) + 5]


@pytest.mark.parametrize("filler", EDGES)
def test_pages_are_counted_once_each(tmp_path: Path, filler: int) -> None:
    """Copies of a page count once; a page may lie across two windows."""
    found = markers.count(_file(tmp_path / "disk", filler))

    assert markers.Count(ordinary=3, secret=2) == found


@pytest.mark.needs_tool("gcc")
@pytest.mark.parametrize("filler", EDGES)
def test_probe_counts_the_same(tmp_path: Path, filler: int) -> None:
    """The markers in probe.c are those of the host's scan."""
    done = subprocess.run(
        [bench.probe(), "scan", _file(tmp_path / "disk", filler)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "ordinary_pages=3\nordinary_hits=4\n" in done.stdout
    assert "secret_pages=2\nsecret_hits=2\n" in done.stdout


@pytest.mark.needs_tool("gcc")
def test_probe_holds_no_marker_in_its_file() -> None:
    """A scan of a disk must not find the program itself."""
    found = markers.count(bench.probe())

    assert markers.Count(0, 0) == found


def test_empty_file_holds_nothing(tmp_path: Path) -> None:
    """The scan ends at the end."""
    (tmp_path / "disk").touch()

    assert markers.Count(0, 0) == markers.count(tmp_path / "disk")
