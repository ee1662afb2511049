"""Every test of this folder gives back what it took."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

import secretmem
from support import holdings, needs


if TYPE_CHECKING:
    from collections.abc import Iterator


def _held() -> tuple[int, ...]:
    now = secretmem.posture()
    return (
        now.live,
        now.views_open,
        now.views_orphaned,
        now.stacks_in_use,
        now.unwiped,
    )


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test after which a secret, view or descriptor is left."""
    if needs.secretmem() is not None:
        yield
        return
    held, open_before = _held(), holdings.descriptors()
    yield
    if _held() != held or holdings.descriptors() != open_before:
        gc.collect()
    assert _held() == held
    assert holdings.descriptors() == open_before
