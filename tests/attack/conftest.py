"""What the tests of `secretmem prove` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem.prove import attacks
from secretmem.prove.runner import Runner


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.prove.attack import Row


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Give the runner with its victim programs started."""
    with Runner() as started:
        yield started


@pytest.fixture(scope="session")
def rows(runner: Runner) -> dict[str, Row]:
    """Give the rows of all attacks, run once."""
    return {row.attack.name: row for row in runner.rows(attacks.load())}
