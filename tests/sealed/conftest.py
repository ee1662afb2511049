"""What the tests of the sealed tier share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem import SealedStore, Secret
from secretmem._sealed import _record


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        """Give the time in milliseconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which values expire."""
    made = Clock()
    monkeypatch.setattr(_record, "now", made)
    return made


@pytest.fixture
def key() -> Iterator[Secret]:
    """A key of a store."""
    with SealedStore.generate_key(name="store") as made:
        yield made


@pytest.fixture
def store(key: Secret) -> Iterator[SealedStore]:
    """An empty store."""
    with SealedStore(key) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is written."""
    return tmp_path / "store"


def secret(data: bytes) -> Secret:
    """Make a secret."""
    return Secret.from_bytes(data)


def shows(store: SealedStore, name: str, data: bytes) -> bool:
    """Tell whether a name opens to this."""
    with store[name].open() as opened:
        return opened.matches(data)
