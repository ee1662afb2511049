"""The bodies of PEM blocks, decoded in secret memory."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretmem import Secret


pytestmark = pytest.mark.needs_secretmem


def _block(label: str, body: bytes, width: int = 64) -> bytes:
    text = base64.b64encode(body).decode()
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    return "\n".join([begin, *lines, end, ""]).encode()


@settings(deadline=None, max_examples=50)
@given(
    body=st.binary(min_size=1, max_size=300),
    label=st.sampled_from(["KEY", "A B C"]),
)
def test_bodies(body: bytes, label: str) -> None:
    """Of every length, with and without asking for the label."""
    text = _block(label, body)
    for wanted in (None, label):
        assert Secret.from_pem(text, label=wanted).matches(body)


def test_several_blocks() -> None:
    """The first one, or the one with the label; text around is nothing."""
    first, second = os.urandom(50), os.urandom(70)
    text = b"a comment\n" + _block("ONE", first) + b"more\n"
    text += _block("ONE TWO", second) + b"the end"
    assert Secret.from_pem(text).matches(first)
    assert Secret.from_pem(text, label="ONE").matches(first)
    found = Secret.from_pem(Secret.from_bytes(text), label="ONE TWO", name="k")
    assert found.matches(second)
    assert found.name == "k"


def test_of_a_str_and_a_secret() -> None:
    """A Secret's result is kept as it is."""
    text = _block("KEY", b"body")
    assert Secret.from_pem(text.decode(), inherit=True).inherit
    kept = Secret.from_bytes(text, inherit=True)
    assert Secret.from_pem(kept).inherit
    with pytest.raises(TypeError, match="decides itself"):
        Secret.from_pem(kept, inherit=True)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"text",
        b"-----BEGIN ",
        b"-----BEGIN KEY",
        b"-----BEGIN KEY-----",
        b"-----BEGIN KEY-----\nAAAA\n",
        b"-----BEGIN KEY-----\nAAAA\n-----END ",
    ],
)
def test_no_block(text: bytes) -> None:
    """Nor half of one."""
    with pytest.raises(ValueError, match="no PEM block"):
        Secret.from_pem(text)


def test_damaged_blocks() -> None:
    """Bad base64, an end with another label, a header."""
    good = _block("KEY", os.urandom(60))
    for bad in (
        good.replace(b"END KEY", b"END KIE"),
        good.replace(b"\n", b"\n!", 1),
        good.replace(b"-----\n", b"-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
        good.replace(b"\n", b"\nA", 1),
    ):
        with pytest.raises(ValueError, match="damaged") as caught:
            Secret.from_pem(bad)
        assert good[30:40].decode() not in str(caught.value)


def test_another_label() -> None:
    """It is not taken for the wanted one."""
    text = _block("PUBLIC KEY", b"body")
    with pytest.raises(ValueError, match="no PEM block of that label"):
        Secret.from_pem(text, label="PRIVATE KEY")
    with pytest.raises(TypeError, match="a label is a str, not bytes"):
        Secret.from_pem(text, label=b"PUBLIC KEY")  # type: ignore[arg-type]  # the mistake
