"""`Secret.from_base64` and `Secret.from_hex`, against the standard library."""

from __future__ import annotations

import base64
import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretmem import ClosedError, Secret, hazmat
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

PAYLOADS = (b"", b"a", b"ab", b"abc", b"\xff\xfe\xfd" * 7, bytes(range(256)))


def out(secret: Secret) -> bytes:
    """Copy out and close."""
    with secret:
        return hazmat.export_bytes(secret)


@pytest.mark.parametrize("data", [*PAYLOADS, bytes(5000), b"\xfb\xff" * 40000])
@pytest.mark.parametrize("urlsafe", [False, True])
def test_base64(data: bytes, urlsafe: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """Padded or not, from bytes, text or a Secret."""
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    text = encode(data)
    for form in (text, text.rstrip(b"="), b" \r\n" + text + b"\n"):
        sources = (form, bytearray(form), form.decode(), memoryview(form))
        for source in sources:
            decoded = Secret.from_base64(source, urlsafe=urlsafe)
            assert out(decoded) == data
        with Secret.from_bytes(form, inherit=True) as secret:
            decoded = Secret.from_base64(secret, urlsafe=urlsafe, name="key")
            assert decoded.inherit
            assert decoded.name == "key"
            assert out(decoded) == data


@pytest.mark.parametrize("data", [*PAYLOADS, bytes(5000)])
def test_hex(data: bytes) -> None:
    """Either case, also mixed."""
    text = data.hex()
    for form in (text, text.upper(), f"\n{text}\t"):
        for source in (form, form.encode()):
            assert out(Secret.from_hex(source)) == data
    with Secret.from_bytes(text.encode()) as secret:
        assert out(Secret.from_hex(secret)) == data


WRONG = (
    "YWJj!",
    "YW Jj",
    "YW\nJj",
    "Y",
    "YWJ=j",
    "YQ=",
    "YQ===",
    "=",
    "====",
    "YWJj\0",
    "YWJjé",
    "ééé",
    "\ud800",
)


@pytest.mark.parametrize("text", WRONG)
def test_wrong_base64(text: str) -> None:
    """ValueError, and the text is not quoted."""
    for source in (text, text.encode("utf-8", "surrogatepass")):
        with pytest.raises(ValueError, match="encod") as caught:
            Secret.from_base64(source)
        printed = "".join(traceback.format_exception(caught.value))
        assert "YW" not in printed


@pytest.mark.parametrize("text", ["a", "0g", "0x00", "00 00", "é0", "0", "-1"])
def test_wrong_hex(text: str) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="encoding"):
        Secret.from_hex(text)


def test_the_alphabets_are_told_apart() -> None:
    """RFC 4648 section 4 has + and /, section 5 has - and _."""
    assert out(Secret.from_base64("+/+/")) == b"\xfb\xff\xbf"
    assert out(Secret.from_base64("-_-_", urlsafe=True)) == b"\xfb\xff\xbf"
    with pytest.raises(ValueError, match="encoding"):
        Secret.from_base64("-_-_")
    with pytest.raises(ValueError, match="encoding"):
        Secret.from_base64("+/+/", urlsafe=True)


def test_bits_that_stand_for_nothing_are_refused() -> None:
    """Two texts must not be one key."""
    assert out(Secret.from_base64("YQ==")) == b"a"
    for text in ("YR==", "YR", "YWK=", "YWK"):
        with pytest.raises(ValueError, match="encoding"):
            Secret.from_base64(text)


@pytest.mark.parametrize("source", [5, None, ["YQ=="], object()])
def test_other_sources(source: object) -> None:
    """TypeError."""
    for decode in (Secret.from_base64, Secret.from_hex):
        with pytest.raises(TypeError, match="bytes-like"):
            decode(source)


def test_a_secret_decides_how_its_result_is_kept() -> None:
    """Options would be ignored, so they are refused."""
    with Secret.from_bytes(b"YQ==") as secret:
        for options in ({"isolated": True}, {"inherit": False}):
            chosen: dict[str, Any] = options
            with pytest.raises(TypeError):
                Secret.from_base64(secret, **chosen)


def test_options_reach_the_result() -> None:
    """As for every constructor."""
    with Secret.from_base64("YQ==", name="n", inherit=True) as secret:
        assert secret.inherit
        assert secret.name == "n"


def test_a_closed_secret_is_not_decoded() -> None:
    """ClosedError."""
    secret = Secret.from_bytes(b"YQ==")
    secret.close()
    with pytest.raises(ClosedError):
        Secret.from_base64(secret)


@settings(max_examples=times(200), deadline=None)
@given(st.text("ABCDwxyz0189+/-_= \n", max_size=20), st.booleans())
def test_whatever_is_accepted_is_what_python_decodes(
    text: str,
    urlsafe: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    """Nothing is decoded to something else; canonical text is decoded."""
    altchars = b"-_" if urlsafe else None
    try:
        decoded = out(Secret.from_base64(text, urlsafe=urlsafe))
    except ValueError:
        decoded = None
    bare = text.strip().rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    try:
        expected = base64.b64decode(padded, altchars, validate=True)
    except ValueError:
        assert decoded is None
        return
    canonical = base64.b64encode(expected, altchars).decode() == padded
    if decoded is not None:
        assert canonical
        assert decoded == expected
    elif canonical:
        assert text.strip() not in {bare, padded}
