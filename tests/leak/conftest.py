"""What tests of the running agent ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent import stage


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[stage.Agent]:
    """Give an agent without keys."""
    with stage.agent(tmp_path) as agent:
        yield agent
