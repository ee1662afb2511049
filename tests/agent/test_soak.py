"""A short soak; ``make soak`` runs a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent import soak


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_ptrace,
]


def test_ten_thousand_requests(tmp_path: Path) -> None:
    """Two hundred clients at a time: no residue, no growth."""
    result = soak.soak(tmp_path, 10_000, 200)
    assert result.residue == []
    first, last = result.resident
    assert last - first < 4096
