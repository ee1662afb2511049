"""The search for many shapes at once finds what the simple one finds."""

from __future__ import annotations

import os

import pytest

from leak.finder import Finder
from leak.material import KINDS
from leak.memory import find_all
from leak.needle import WINDOW, Shape


pytestmark = pytest.mark.needs_tool("cc")


@pytest.mark.parametrize("kind", KINDS)
def test_every_piece_is_found(kind: str) -> None:
    """Any eight bytes of any shape, at any place, are found whole."""
    shapes = KINDS[kind]().shapes
    finder = Finder(shapes)
    for shape in shapes:
        pieces = sorted(shape.windows)
        assert len(pieces) == len(shape.data) - WINDOW + 1
        for at, piece in enumerate(pieces):
            buffer = bytearray(64)
            start = at % (64 - WINDOW)
            buffer[start : start + WINDOW] = piece
            found = set(finder.find(buffer, 64))
            assert any(
                span.start <= start and start + WINDOW <= span.stop
                for _, span in found
            )


@pytest.mark.parametrize("repeated", [False, True])
def test_it_agrees_with_the_simple_search(repeated: bool) -> None:  # noqa: FBT001 - a parameter
    """In random bytes with shapes among them, and beyond the size not."""
    shapes = tuple(
        Shape(str(number), os.urandom(24), repeated) for number in range(8)
    )
    buffer = bytearray(os.urandom(100_000))
    for number, shape in enumerate(shapes):
        at = 10_000 * number + 7
        buffer[at : at + 48] = shape.data * 2
    buffer[90_000:90_024] = shapes[0].data
    expected = {
        (shape.name, span)
        for shape in shapes
        for span in find_all(buffer, 80_000, shape)
        if len(span) >= WINDOW
    }
    assert len(expected) == (8 if repeated else 16)
    found = Finder(shapes).find(buffer, 80_000)
    assert {f for f in found if len(f[1]) >= WINDOW} == expected
