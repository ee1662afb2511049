"""Slicing, concatenation and stripping, against what bytes do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from secretmem import ClosedError, Secret, hazmat


pytestmark = pytest.mark.needs_secretmem

DATA = b"0123456789"
PLACES = (None, -100, -11, -10, -9, -1, 0, 1, 5, 9, 10, 11, 100, 1 << 70)
STEPS = (None, 1, 2, 3, 9, 10, 11, 1 << 70, -1, -2, -9, -10, -11, -(1 << 70))


def out(secret: Secret) -> bytes:
    """Copy out and close."""
    with secret:
        return hazmat.export_bytes(secret)


@pytest.mark.parametrize("step", STEPS)
def test_slices_are_those_of_bytes(step: int | None) -> None:
    """Every start and end, in and out of range."""
    with Secret.from_bytes(DATA) as secret:
        for start, stop in itertools.product(PLACES, PLACES):
            part = slice(start, stop, step)
            assert out(secret[part]) == DATA[part], part


@pytest.mark.parametrize("size", [0, 1, 2, 4097, 70000])
@pytest.mark.parametrize("step", [1, 2, 7, -1, -3, 4096])
def test_slices_of_other_sizes(size: int, step: int) -> None:
    """Empty, tiny, more than a page."""
    data = (b"abcdefg" * (size // 7 + 1))[:size]
    with Secret.from_bytes(data) as secret:
        assert out(secret[::step]) == data[::step]
        assert out(secret[3::step]) == data[3::step]


def test_a_step_of_zero_is_a_value_error() -> None:
    """As for bytes."""
    with (
        Secret.from_bytes(DATA) as secret,
        pytest.raises(ValueError, match="zero"),
    ):
        secret[::0]


@pytest.mark.parametrize("key", [0, -1, 100, "a", None, (1, 2), 1.5])
def test_single_bytes_are_not_given(key: object) -> None:
    """One byte of a secret would be an int in ordinary memory."""
    wrong: Any = key
    with Secret.from_bytes(DATA) as secret:
        with pytest.raises(TypeError, match=r"slices.*secret\[4:8\]"):
            secret[wrong]
        with pytest.raises(TypeError):
            secret[1:"a"]


def test_nothing_is_assigned_or_deleted() -> None:
    """A secret does not change."""
    with Secret.from_bytes(DATA) as secret:
        wrong: Any = secret
        with pytest.raises(TypeError):
            wrong[0:1] = b"x"
        with pytest.raises(TypeError):
            del wrong[0:1]


def test_a_part_outlives_the_whole() -> None:
    """It is a copy in a slot of its own."""
    with Secret.from_bytes(DATA) as secret:
        part = secret[2:5]
    assert secret.closed
    assert not part.closed
    assert out(part) == b"234"


def test_parts_have_no_name() -> None:
    """The name belongs to what was named."""
    with Secret.from_bytes(DATA, name="whole") as secret:
        for each in (secret[:], secret[1:], secret + b"x", secret.strip()):
            assert each.name is None


@pytest.mark.parametrize("left", [b"", b"a", b"x" * 32, b"y" * 5000])
@pytest.mark.parametrize("right", [b"", b"b", b"z" * 4096])
def test_sums(left: bytes, right: bytes) -> None:
    """Secret with Secret, and with bytes-like objects on either side."""
    with Secret.from_bytes(left) as one, Secret.from_bytes(right) as two:
        assert out(one + two) == left + right
        for kind in (bytes, bytearray, memoryview):
            assert out(one + kind(right)) == left + right
            assert out(kind(left) + two) == left + right


def test_a_secret_is_added_to_itself() -> None:
    """Both sides are the same slot."""
    with Secret.from_bytes(DATA) as secret:
        assert out(secret + secret) == DATA * 2


def test_adding_in_place_makes_a_new_secret() -> None:
    """The old one stays what it was."""
    with Secret.from_bytes(b"a") as secret:
        grown = secret
        grown += b"b"
        assert grown is not secret
        assert out(grown) == b"ab"
        assert secret.matches(b"a")


@pytest.mark.parametrize("other", ["text", 5, None, [1], object()])
def test_other_things_are_not_added(other: object) -> None:
    """On neither side."""
    wrong: Any = other
    with Secret.from_bytes(DATA) as secret:
        with pytest.raises(TypeError):
            secret + wrong
        with pytest.raises(TypeError):
            wrong + secret


def test_a_secret_is_not_multiplied() -> None:
    """There is no use for it."""
    with Secret.from_bytes(DATA) as secret:
        wrong: Any = secret
        with pytest.raises(TypeError):
            wrong * 2
        with pytest.raises(TypeError):
            sum([wrong, wrong])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\n",
        b"token\n",
        b"token\r\n",
        b"  two words\t",
        b"\0 nul \0",
        b"\x0b\x0cform feed and vertical tab\x0b\x0c",
        b"\x1c\x1d\x1e\x1f\x85\xa0",
        b" " * 5000,
        b" " * 5000 + b"x" + b"\n" * 5000,
    ],
)
def test_strip_is_that_of_bytes(data: bytes) -> None:
    """The same six characters are white space."""
    with Secret.from_bytes(data) as secret:
        assert out(secret.strip()) == data.strip()


def test_every_byte_is_stripped_or_kept_as_bytes_do() -> None:
    """One by one."""
    for value in range(256):
        data = bytes([value])
        with Secret.from_bytes(data + b"-" + data) as secret:
            assert out(secret.strip()) == (data + b"-" + data).strip()


@pytest.mark.parametrize(
    "use",
    [
        lambda s: s[1:],
        lambda s: s[::-1],
        lambda s: s + b"x",
        lambda s: b"x" + s,
        lambda s: s + s,
        lambda s: s.strip(),
    ],
)
def test_of_a_closed_secret_there_are_no_parts(use: Any) -> None:  # noqa: ANN401 - one of several operations
    """Every operation says so."""
    secret = Secret.from_bytes(DATA)
    secret.close()
    with pytest.raises(ClosedError, match="closed"):
        use(secret)
