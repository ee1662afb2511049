"""What tests of the agent ask for."""

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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[stage.Server]:
    """Give an sshd that nobody may log in to yet."""
    folder = tmp_path / "server"
    folder.mkdir()
    with stage.server(folder) as server:
        yield server


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give a key file of each kind."""
    folder = tmp_path_factory.mktemp("keys")
    return {kind: stage.make_key(folder, kind) for kind in stage.KINDS}
