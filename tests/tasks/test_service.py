"""The service of the tutorial: real requests, and what an audit finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from docs import blocks
from tasks import service


if TYPE_CHECKING:
    from collections.abc import Iterator


def test_the_tutorial_shows_the_programs() -> None:
    """Each of its pieces stands in the file that it names."""
    shown = [each for each in blocks.blocks("tutorial.md") if each.caption]
    assert len(shown) == 5
    for block in shown:
        program = (service.SERVICE / block.caption.split()[0]).read_text()
        for part in block.text.strip().split("\n\n\n"):
            assert part in program, block.place


_PRELOADED = """
import secretmem

secretmem.configure(fork="inherit")

from after import app
"""


needs = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    pytest.mark.needs_postgresql,
]


@pytest.fixture(scope="module")
def place() -> Iterator[service.Place]:
    """Have secrets and a database."""
    with service.place() as made:
        yield made


class TestService:
    """The programs under gunicorn."""

    pytestmark = needs

    def test_before_and_after(self, place: service.Place) -> None:
        """Both do their work; the usual one has copies of every secret."""
        before = service.counted("before", place)
        after = service.counted("after", place)
        assert all(before.values()), before
        assert after == dict.fromkeys(service.SECRETS, 0)

    def test_loaded_before_the_fork(self, place: service.Place) -> None:
        """The workers have the secrets, since the program says so before."""
        (place.folder / "preloaded.py").write_text(_PRELOADED)
        with service.running("preloaded", place, "--preload") as worker:
            service.used(place)
            found = service.audited(place, worker)
        assert found == dict.fromkeys(service.SECRETS, 0)
