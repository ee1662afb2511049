"""HMAC, HKDF and PBKDF2 against Wycheproof, RFC 4231 and RFC 2202."""

from __future__ import annotations

import hashlib

import pytest

from secretmem import Secret, hazmat
from secretmem.crypto import Hmac, InvalidSignature, hkdf, pbkdf2
from secretmem.exceptions import InvalidKey
from vectors.cases import Row, data, judge, load


pytestmark = pytest.mark.needs_secretmem


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384", "sha512"])
def test_hmac(name: str) -> None:
    """The MAC is right, whole or cut; verify takes the right one only."""
    whole = hashlib.new(name).digest_size

    def answer(row: Row) -> bool:
        key, message, tag = data(row, "key", "msg", "tag")
        mac = Hmac(Secret.from_bytes(key), name)
        if len(tag) == whole:
            mac.verify(message, tag)
        else:
            # A cut one never passes for the whole.
            with pytest.raises(InvalidSignature):
                mac.verify(message, tag)
        if mac.digest(message)[: len(tag)] != tag:
            raise InvalidSignature
        return True

    rows = load(f"hmac_{name}")
    judge(rows, answer, InvalidSignature, {"valid": 8, "invalid": 8})


def test_hmac_of_the_rfcs() -> None:
    """Keys shorter and longer than a block."""

    def answer(row: Row) -> bool:
        key, message, tag = data(row, "Key", "Msg", "MD")
        mac = Hmac(Secret.from_bytes(key), row["hash"])
        mac.verify(message, tag)
        return mac.digest(message) == tag

    judge(load("hmac_rfc"), answer, InvalidSignature, {"valid": 25})


@pytest.mark.parametrize(
    "name, valid", [("sha256", 31), ("sha384", 28), ("sha512", 28)]
)
def test_hkdf(name: str, valid: int) -> None:
    """Up to the longest result; a longer one is refused."""

    def answer(row: Row) -> bool:
        secret, salt, info = data(row, "ikm", "salt", "info")
        made = hkdf(
            Secret.from_bytes(secret),
            row["size"],
            salt=salt,
            info=info,
            algorithm=name,
        )
        derived = hazmat.export_bytes(made)
        if "sha256" in row:
            return data(row, "sha256") == [hashlib.sha256(derived).digest()]
        return data(row, "okm") == [derived]

    expected = {"valid": valid, "invalid": 3}
    judge(load(f"hkdf_{name}"), answer, InvalidKey, expected)


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha384", "sha512"])
def test_pbkdf2(name: str) -> None:
    """Of text and of other bytes; all of these are right ones."""

    def answer(row: Row) -> bool:
        password, salt, derived = data(row, "password", "salt", "dk")
        made = pbkdf2(
            Secret.from_bytes(password),
            salt=salt,
            iterations=row["iterationCount"],
            length=row["dkLen"],
            algorithm=name,
        )
        return made.matches(derived)

    rows = load(f"pbkdf2_{name}")
    judge(rows, answer, InvalidKey, {"valid": len(rows)})
    assert len(rows) > 20
