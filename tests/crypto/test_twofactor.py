"""One-time passwords: the RFCs' values, and those of cryptography."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, twofactor
from cryptography.hazmat.primitives.twofactor import hotp, totp

from secretmem import ClosedError, InvalidKey, Secret, hazmat, posture
from secretmem.crypto.twofactor import HOTP, TOTP, InvalidToken


pytestmark = pytest.mark.needs_secretmem

SEED = b"1234567890"
PYCA: dict[str, Any] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - what authenticators have
    "sha256": hashes.SHA256(),
    "sha512": hashes.SHA512(),
}

# RFC 4226, appendix D.
BY_COUNTER = (
    "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"
)

# RFC 6238, appendix B: the time, and the passwords by SHA-1, SHA-256 and
# SHA-512 with keys of 20, 32 and 64 bytes.
BY_TIME = (
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
)


def _seed(size: int) -> Secret:
    return Secret.from_bytes((SEED * 7)[:size])


def test_passwords_by_counter() -> None:
    """RFC 4226, appendix D."""
    made = HOTP(_seed(20))
    for counter, right in enumerate(BY_COUNTER.split()):
        assert made.generate(counter) == right.encode()
        made.verify(right.encode(), counter)
        with pytest.raises(InvalidToken):
            made.verify(right.encode(), counter + 1)


@pytest.mark.parametrize("time, one, two, five", BY_TIME)
def test_passwords_by_time(time: int, one: str, two: str, five: str) -> None:
    """RFC 6238, appendix B."""
    for right, name, size in (
        (one, "sha1", 20),
        (two, "sha256", 32),
        (five, "sha512", 64),
    ):
        made = TOTP(_seed(size), 8, name)
        assert made.generate(time) == right.encode()
        made.verify(right.encode(), time)


@pytest.mark.parametrize("name", PYCA)
@pytest.mark.parametrize("length", [6, 7, 8])
def test_as_cryptographys(name: str, length: int) -> None:
    """The same passwords, of its hash objects too."""
    key = os.urandom(24)
    ours = HOTP(Secret.from_bytes(key), length, PYCA[name])
    theirs = hotp.HOTP(key, length, PYCA[name])
    for counter in (0, 1, 255, 256, 2**32, 2**63, 2**64 - 1):
        assert ours.generate(counter) == theirs.generate(counter)
    by_time = TOTP(Secret.from_bytes(key), length, name, 60)
    their_time = totp.TOTP(key, length, PYCA[name], 60)
    for time in (0, 59.9, 60, 1e9):
        assert by_time.generate(time) == their_time.generate(time)


@pytest.mark.parametrize("wrong", [b"", b"75522", b"7552240", b"755225"])
def test_wrong_passwords(wrong: bytes) -> None:
    """Of every length; the error is cryptography's too."""
    with pytest.raises(twofactor.InvalidToken):
        HOTP(_seed(20)).verify(wrong, 0)


def test_only_the_exact_password_fits() -> None:
    """Every digit counts."""
    made, right = HOTP(_seed(20)), b"755224"
    for at in range(6):
        for digit in b"0123456789":
            candidate = right[:at] + bytes([digit]) + right[at + 1 :]
            if candidate == right:
                made.verify(candidate, 0)
            else:
                with pytest.raises(InvalidToken):
                    made.verify(candidate, 0)


def test_the_uri_is_a_secret() -> None:
    """What cryptography makes, but for the key's padding."""
    for size in (16, 17, 18, 19, 20):
        key = os.urandom(size)
        ours: Any = TOTP(Secret.from_bytes(key), 8, "sha256", 60)
        theirs: Any = totp.TOTP(key, 8, PYCA["sha256"], 60)
        args: tuple[Any, ...] = ("alice@example.com", "A & B")
        for _ in range(2):
            made = ours.get_provisioning_uri(*args)
            assert isinstance(made, Secret)
            text = hazmat.export_str(made)
            right = theirs.get_provisioning_uri(*args)
            assert _parts(text) == _parts(right)
            ours, theirs = HOTP(ours._key), hotp.HOTP(key, 6, PYCA["sha1"])
            args = ("bob", 7, None)


def _parts(uri: str) -> tuple[str, str, str, dict[str, list[str]]]:
    split = urlsplit(uri)
    query = parse_qs(split.query, strict_parsing=True)
    query["secret"] = [query["secret"][0].rstrip("=")]
    return split.scheme, split.netloc, split.path, query


def test_keys_as_they_are_shown() -> None:
    """Base32 with capital or small letters."""
    for text in (
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
    ):
        key = Secret.from_base32(text, name="authenticator")
        assert HOTP(key).generate(0) == b"755224"


def test_bad_arguments() -> None:
    """Each says what would be right."""
    key = _seed(20)
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        HOTP(bytes(20))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InvalidKey, match="16 bytes or more, not 10"):
        HOTP(_seed(10))
    assert HOTP(_seed(10), enforce_key_length=False).generate(0)
    with pytest.raises(InvalidKey, match="1 bytes or more, not 0"):
        TOTP(_seed(0), enforce_key_length=False)
    for length in (5, 9, -6):
        with pytest.raises(ValueError, match="6, 7 or 8"):
            HOTP(key, length)
    with pytest.raises(ValueError, match="one of sha1, sha256, sha512"):
        HOTP(key, 6, "md5")
    with pytest.raises(ValueError, match="1 or more, not 0"):
        TOTP(key, time_step=0)
    for counter in (-1, 2**64):
        with pytest.raises(OverflowError):
            HOTP(key).generate(counter)
    with pytest.raises(TypeError):
        HOTP(key).verify("755224", 0)  # type: ignore[arg-type]  # the mistake


def test_nothing_is_exported_on_the_way() -> None:
    """And a closed key is refused."""
    before = posture().exports
    made = TOTP(_seed(20))
    made.verify(made.generate(59), 59)
    made.get_provisioning_uri("a", "b").close()
    assert posture().exports == before
    made.close()
    with pytest.raises(ClosedError):
        made.generate(59)
