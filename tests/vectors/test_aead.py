"""Ciphers against Wycheproof: every way to decrypt, and to encrypt."""

from __future__ import annotations

import pytest

from secretmem import Secret
from secretmem.crypto import InvalidTag, aead
from secretmem.exceptions import InvalidKey
from vectors.cases import Row, data, judge, load


pytestmark = pytest.mark.needs_secretmem

CIPHERS = {
    "aes_gcm": (aead.AESGCM, {"valid": 19, "invalid": 12}),
    "aes_gcm_siv": (aead.AESGCMSIV, {"valid": 24, "invalid": 8}),
    "chacha20_poly1305": (
        aead.ChaCha20Poly1305,
        {"valid": 21, "invalid": 4},
    ),
    "xchacha20_poly1305": (
        aead.XChaCha20Poly1305,
        {"valid": 21, "invalid": 4},
    ),
}


def _opened(cipher: aead._Aead, row: Row, how: str) -> bytes:
    nonce, aad, sealed, tag = data(row, "iv", "aad", "ct", "tag")
    if how == "decrypt":
        return cipher.decrypt(nonce, sealed + tag, aad)
    if how == "decrypt_into":
        out = bytearray(b"\xff" * len(sealed))
        try:
            cipher.decrypt_into(nonce, sealed + tag, aad, out)
        except InvalidTag:
            # Nothing that was not authenticated is left in there.
            assert not any(out)
            raise
        return bytes(out)
    with cipher.decrypt_to_secret(nonce, sealed + tag, aad) as made:
        message = bytes.fromhex(row["msg"])
        assert made.matches(message)
        return message


def _fitting(name: str) -> tuple[list[Row], list[Row]]:
    """Tell the vectors whose nonce has the size that we take, and others."""
    size = CIPHERS[name][0].NONCE_SIZE
    rows = load(name)
    fitting = [row for row in rows if len(row["iv"]) == 2 * size]
    return fitting, [row for row in rows if row not in fitting]


@pytest.mark.parametrize(
    "how", ["decrypt", "decrypt_into", "decrypt_to_secret"]
)
@pytest.mark.parametrize("name", CIPHERS)
def test_opens(name: str, how: str) -> None:
    """The plaintext comes out; what was modified is refused."""
    cls, expected = CIPHERS[name]

    def answer(row: Row) -> bool:
        key, message = data(row, "key", "msg")
        with Secret.from_bytes(key) as secret:
            return _opened(cls(secret), row, how) == message

    judge(_fitting(name)[0], answer, InvalidTag, expected)


@pytest.mark.parametrize("name", CIPHERS)
def test_seals(name: str) -> None:
    """The ciphertext and tag are those of the vector, of a Secret too."""
    cls, expected = CIPHERS[name]
    rows = [r for r in _fitting(name)[0] if r["result"] == "valid"]

    def answer(row: Row) -> bool:
        key, nonce, aad, message = data(row, "key", "iv", "aad", "msg")
        sealed = b"".join(data(row, "ct", "tag"))
        cipher = cls(Secret.from_bytes(key))
        as_secret = cipher.encrypt(nonce, Secret.from_bytes(message), aad)
        assert as_secret == sealed
        return cipher.encrypt(nonce, message, aad) == sealed

    judge(rows, answer, InvalidTag, {"valid": expected["valid"]})


@pytest.mark.parametrize("name", CIPHERS)
def test_other_nonces_are_refused(name: str) -> None:
    """Nonces of other sizes, where the standard has them, are not taken."""
    others = _fitting(name)[1]
    assert others or name == "aes_gcm_siv"
    for row in others:
        cipher = CIPHERS[name][0](Secret.from_bytes(data(row, "key")[0]))
        nonce, message = data(row, "iv", "msg")
        with pytest.raises(InvalidKey):
            cipher.encrypt(nonce, message)
        with pytest.raises(InvalidKey):
            _opened(cipher, row, "decrypt")
