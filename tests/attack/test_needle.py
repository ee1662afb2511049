"""The needle, and that nothing of it escapes the search."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretmem.prove.needle import PIECE, SIZE, Needle


if TYPE_CHECKING:
    from collections.abc import Callable


def test_needles_differ_and_are_text() -> None:
    """Each needle is 32 letters and digits, and no two are alike."""
    needles = {Needle().text for _ in range(50)}
    assert len(needles) == 50
    assert all(len(n) == SIZE and n.isalnum() for n in needles)


def test_repr_does_not_show_it() -> None:
    """A needle in a message does not give itself away."""
    needle = Needle()
    assert needle.text.decode() not in repr(needle)


@given(before=st.binary(max_size=99), after=st.binary(max_size=99))
def test_finds_the_whole(before: bytes, after: bytes) -> None:
    """The whole needle is found at its offset, whatever is around it."""
    needle = Needle()
    found = needle.find(before + needle.text + after)
    assert found == ("plain", len(before), SIZE)


@pytest.mark.parametrize("offset", range(SIZE - PIECE + 1))
def test_finds_every_piece(offset: int) -> None:
    """Any 8 bytes of it are found, wherever they were cut out."""
    needle = Needle()
    piece = needle.text[offset : offset + PIECE]
    assert needle.find(b"\0" * 5 + piece + b"\0") == ("plain", 5, PIECE)


@given(offset=st.integers(0, SIZE - PIECE + 1))
def test_seven_bytes_are_no_find(offset: int) -> None:
    """The search says what it says: 8 bytes, not less."""
    needle = Needle()
    piece = needle.text[offset : offset + PIECE - 1]
    assert needle.find(b"\0" + piece + b"\0") is None


@pytest.mark.parametrize(
    "form",
    [
        base64.b64encode,
        lambda text: text.hex().encode(),
        lambda text: text[::-1],
        lambda text: b"x" + base64.b64encode(text)[8:24],
    ],
    ids=["base64", "hex", "reversed", "part of base64"],
)
def test_finds_encodings(form: Callable[[bytes], bytes]) -> None:
    """Encodings of the needle are found when they are asked for."""
    needle = Needle()
    data = b"\0" * 100 + form(needle.text)
    assert needle.find(data) is None
    assert needle.find_any_form(data) is not None


def test_finds_nothing_in_other_needles() -> None:
    """Another needle is not taken for this one."""
    needle = Needle()
    assert (
        needle.find_any_form(b"".join(Needle().text for _ in range(99)))
        is None
    )


def test_a_find_says_what_it_is() -> None:
    """Evidence tells a whole needle from a fragment, and the form."""
    needle = Needle()
    assert "the whole needle" in str(needle.find(needle.text))
    assert "a fragment (8 bytes)" in str(needle.find(needle.text[3:11]))
    hexed = needle.find_any_form(needle.text.hex().encode())
    assert "in hex" in str(hexed)
