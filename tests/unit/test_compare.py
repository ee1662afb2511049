"""`==`, `matches`, and what a wrong candidate may leave behind."""

from __future__ import annotations

import gc
from typing import Any
from unittest import mock

import pytest

from secretmem import ClosedError, Secret


pytestmark = pytest.mark.needs_secretmem

DATA = b"correct horse\0\xff"


@pytest.mark.parametrize("size", [0, 1, 7, 8, 31, 32, 33, 4096, 70001])
def test_equal_secrets(size: int) -> None:
    """Equal content, whatever slots they lie in."""
    data = b"\xa5" * size
    with (
        Secret.from_bytes(data) as one,
        Secret.from_bytes(data, isolated=True) as two,
        Secret.from_bytes(data, inherit=True) as three,
    ):
        assert one == two == three == one
        assert not one != three  # noqa: SIM202 - both operators are tried
        assert one == one  # noqa: PLR0124 - two pins of one slot


@pytest.mark.parametrize("size", [1, 8, 33, 4097])
def test_one_byte_makes_them_differ(size: int) -> None:
    """Wherever it is."""
    data = b"\xa5" * size
    with Secret.from_bytes(data) as one:
        for place in {0, size // 2, size - 1}:
            other = bytearray(data)
            other[place] ^= 1
            with Secret.from_bytes(other) as two:
                assert one != two
                assert not one.matches(other)


def test_a_prefix_is_not_equal() -> None:
    """The length counts."""
    with Secret.from_bytes(DATA) as one, Secret.from_bytes(DATA[:-1]) as two:
        assert one != two
        assert not one.matches(DATA[:-1])
        assert not one.matches(DATA + b"\0")
        assert not one.matches(b"")


@pytest.mark.parametrize(
    "other", ["text", DATA, bytearray(DATA), memoryview(DATA), "", b""]
)
def test_candidates_are_not_compared_by_equality(other: object) -> None:
    """The error names the call that does it."""
    with Secret.from_bytes(DATA) as secret:
        with pytest.raises(TypeError, match="matches"):
            assert secret == other
        with pytest.raises(TypeError, match="matches"):
            assert other != secret


@pytest.mark.parametrize("other", [None, 5, object(), (), [DATA]])
def test_other_objects_are_simply_different(other: object) -> None:
    """As everything in Python."""
    with Secret.from_bytes(DATA) as secret:
        assert secret != other
        assert not secret == other  # noqa: SIM201 - both operators are tried


def test_the_other_side_is_asked() -> None:
    """An object that equals everything equals a secret."""
    with Secret.from_bytes(DATA) as secret:
        assert secret == mock.ANY
        assert mock.ANY == secret  # noqa: SIM300 - the other side first


@pytest.mark.parametrize("operator", ["__lt__", "__le__", "__gt__", "__ge__"])
def test_there_is_no_order(operator: str) -> None:
    """It would tell about the content."""
    with Secret.from_bytes(DATA) as one, Secret.from_bytes(DATA) as two:
        with pytest.raises(TypeError):
            getattr(one, operator)(two)
        with pytest.raises(TypeError):
            sorted([one, two])  # type: ignore[type-var]  # what is under test


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_matches_bytes(kind: Any) -> None:  # noqa: ANN401 - a type of buffer
    """Of any type, without changing or holding them."""
    candidate = kind(DATA)
    with Secret.from_bytes(DATA) as secret:
        assert secret.matches(candidate) is True
        assert secret.matches(kind(DATA[::-1])) is False
    if kind is bytearray:
        candidate.append(0)  # not held


@pytest.mark.parametrize("text", ["", "pässword", "💣", "a\0b", "x" * 5000])
def test_matches_text(text: str) -> None:
    """A str is its UTF-8."""
    with Secret.from_bytes(text.encode()) as secret:
        assert secret.matches(text) is True
        assert secret.matches(text + "x") is False
        assert secret.matches(f"y{text}"[:-1] or "y") is False


def test_text_does_not_match_other_encodings() -> None:
    """Latin-1 is not UTF-8."""
    with Secret.from_bytes("é".encode("latin-1")) as secret:
        assert not secret.matches("é")


def test_an_error_does_not_hold_the_candidate() -> None:
    """Half of a surrogate pair has no UTF-8; who typed it is not quoted."""
    candidate = "wrong-horse\ud800-battery"
    with (
        Secret.from_bytes(DATA) as secret,
        pytest.raises(ValueError, match="UTF-8") as caught,
    ):
        secret.matches(candidate)
    error: BaseException | None = caught.value
    while error is not None:
        assert "horse" not in repr(error)
        assert "horse" not in str(getattr(error, "object", ""))
        assert all("horse" not in str(part) for part in error.args)
        error = error.__cause__ or error.__context__
    # Only this frame's variable refers to it.
    assert [
        holder
        for holder in gc.get_referrers(candidate)
        if isinstance(holder, tuple) and candidate in holder
    ] == []


@pytest.mark.parametrize("candidate", [5, None, ["x"], object()])
def test_other_candidates_are_type_errors(candidate: object) -> None:
    """A mistake of the program, not a mismatch."""
    wrong: Any = candidate
    with (
        Secret.from_bytes(DATA) as secret,
        pytest.raises(TypeError, match="bytes-like"),
    ):
        secret.matches(wrong)


def test_a_secret_is_not_a_candidate() -> None:
    """Two secrets are compared by ``==``."""
    with Secret.from_bytes(DATA) as one, Secret.from_bytes(DATA) as two:
        wrong: Any = two
        with pytest.raises(TypeError):
            one.matches(wrong)


def test_a_closed_secret_is_not_compared() -> None:
    """On neither side; an outcome would be a guess."""
    closed = Secret.from_bytes(DATA)
    closed.close()
    with Secret.from_bytes(DATA) as secret:
        with pytest.raises(ClosedError):
            assert closed == secret
        with pytest.raises(ClosedError):
            assert secret == closed
        with pytest.raises(ClosedError):
            closed.matches(DATA)
        with pytest.raises(ClosedError):
            closed.matches(b"of another length")
    assert [closed].index(closed) == 0  # identity is asked first
