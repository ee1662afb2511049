"""A key file and its recipient, as ``keygen`` makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from age.command import run


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Make an identity."""
    path = tmp_path / "key.txt"
    run("keygen", "-o", path)
    return path


@pytest.fixture
def recipient(key_file: Path) -> str:
    """Give its recipient."""
    return run("keygen", "-y", key_file).stdout.decode().strip()
