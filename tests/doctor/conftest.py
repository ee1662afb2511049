"""What the tests of doctor share: systems that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import trees


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorded(tmp_path: Path) -> trees.Recorded:
    """Give a maker of recorded systems."""
    return trees.Recorded(tmp_path / "machine")
