"""RSA against Wycheproof: signatures, and decryption by OAEP."""

from __future__ import annotations

from functools import cache

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding

from secretmem import Secret
from secretmem.crypto import InvalidTag
from secretmem.keys import RSAPrivateKey, load_der
from vectors.cases import HASHES, Row, data, judge, load


pytestmark = pytest.mark.needs_secretmem


@cache
def _key(name: str) -> RSAPrivateKey:
    (row,) = (row for row in load("rsa_keys") if row["name"] == name)
    key = load_der(Secret.from_bytes(data(row, "pkcs8")[0]))
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == int(name.partition("-")[0])
    return key


def test_pkcs1() -> None:
    """There is one right signature, and it is ours; up to 8192 bits."""

    def answer(row: Row) -> bool:
        message, signature = data(row, "msg", "sig")
        pad = padding.PKCS1v15()
        made = _key(row["key"]).sign(message, pad, HASHES[row["hash"]])
        return made == signature

    judge(load("rsa_pkcs1"), answer, InvalidSignature, {"valid": 49})


def test_pss_without_salt() -> None:
    """There is one right signature without a salt."""

    def answer(row: Row) -> bool:
        message, signature = data(row, "msg", "sig")
        hashed = HASHES[row["hash"]]
        pad = padding.PSS(padding.MGF1(hashed), 0)
        return _key(row["key"]).sign(message, pad, hashed) == signature

    judge(load("rsa_pss"), answer, InvalidSignature, {"valid": 15})


@pytest.mark.parametrize("name", ["SHA-1", "SHA-256", "SHA-384", "SHA-512"])
def test_pss_with_salt(name: str) -> None:
    """Another library verifies ours: all keys, three lengths of the salt."""
    hashed, mask = HASHES[name], HASHES["SHA-256"]
    lengths = (20, padding.PSS.DIGEST_LENGTH, padding.PSS.MAX_LENGTH)
    for row in load("rsa_keys"):
        key = _key(row["name"])
        for length in lengths if key.key_size < 4096 else lengths[:1]:
            pad = padding.PSS(padding.MGF1(mask), length)
            signature = key.sign(b"message", pad, hashed)
            key.public_key().verify(signature, b"message", pad, hashed)
            with pytest.raises(InvalidSignature):
                key.public_key().verify(signature, b"other", pad, hashed)


def test_oaep() -> None:
    """With labels and two hashes; damaged paddings are refused."""

    def answer(row: Row) -> bool:
        message, sealed, label = data(row, "msg", "ct", "label")
        mask = padding.MGF1(HASHES[row["mask"]])
        pad = padding.OAEP(mask, HASHES[row["hash"]], label or None)
        with _key(row["key"]).decrypt_to_secret(sealed, pad) as made:
            return made.matches(message)

    expected = {"valid": 82, "acceptable": 3, "invalid": 48}
    judge(load("rsa_oaep"), answer, InvalidTag, expected)
