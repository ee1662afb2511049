"""The service of the tutorial: real requests, and what an audit finds."""

from __future__ import annotations

import pytest

from docs import blocks
from support import postgres
from tasks import service


def test_the_tutorial_shows_the_programs() -> None:
    """Each of its pieces stands in the file that it names."""
    shown = [each for each in blocks.blocks("tutorial.md") if each.caption]
    assert len(shown) == 5
    for block in shown:
        program = (service.SERVICE / block.caption.split()[0]).read_text()
        for part in block.text.strip().split("\n\n\n"):
            assert part in program, block.place


@pytest.mark.needs_secretmem
@pytest.mark.needs_ptrace
@pytest.mark.skipif(postgres.binaries() is None, reason="no PostgreSQL")
def test_before_and_after() -> None:
    """Both do their work; the usual one has copies of every secret."""
    with service.place() as made:
        before = service.counted("before", made)
        after = service.counted("after", made)
    assert all(before.values()), before
    assert after == dict.fromkeys(service.SECRETS, 0)
