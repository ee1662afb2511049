"""SCRAM: the exchanges of RFC 7677 and RFC 5802."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode

import pytest

from secretmem import ClosedError, Secret, posture
from secretmem.contrib.scram import ClientKeys
from secretmem.crypto import InvalidSignature


pytestmark = pytest.mark.needs_secretmem

# Hash, user's and server's nonce, salt, proof, server's signature.  RFC 7677
# section 3 and RFC 5802 section 5: user "user", password "pencil".
EXCHANGES = {
    "sha256": (
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ),
    "sha1": (
        "fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        "QSXCR+Q6sek8bf92",
        "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ),
}


def _message(client: str, server: str, salt: str) -> bytes:
    nonce = client + server
    return (
        f"n=user,r={client},r={nonce},s={salt},i=4096,c=biws,r={nonce}"
    ).encode()


def _salted(algorithm: str, salt: str) -> Secret:
    raw = hashlib.pbkdf2_hmac(algorithm, b"pencil", b64decode(salt), 4096)
    return Secret.from_bytes(raw)


@pytest.mark.parametrize("algorithm", EXCHANGES)
def test_the_rfcs_exchanges(algorithm: str) -> None:
    """Proof and server's signature, with nothing exported."""
    client, server, salt, proof, signature = EXCHANGES[algorithm]
    message = _message(client, server, salt)
    before = posture().exports
    keys = ClientKeys(_salted(algorithm, salt), algorithm)
    assert b64encode(keys.proof(message)).decode() == proof
    keys.verify(message, b64decode(signature))
    for wrong in (b64decode(proof), b"", b64decode(signature)[:-1]):
        with pytest.raises(InvalidSignature):
            keys.verify(message, wrong)
    assert posture().exports == before


def test_wrong_lengths_and_kinds_are_refused() -> None:
    """Before anything is computed."""
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        ClientKeys(Secret.random(31))
    with pytest.raises(TypeError, match="is a Secret"):
        ClientKeys(bytes(32))  # type: ignore[arg-type]  # the mistake


def test_closed_keys_refuse() -> None:
    """Both are wiped."""
    keys = ClientKeys(Secret.random(32))
    keys.close()
    with pytest.raises(ClosedError):
        keys.proof(b"")
    with pytest.raises(ClosedError):
        keys.verify(b"", bytes(32))


@pytest.mark.parametrize("algorithm", EXCHANGES)
def test_from_the_password(algorithm: str) -> None:
    """The same proof, with nothing exported and nothing left open."""
    client, server, salt, proof, _ = EXCHANGES[algorithm]
    message = _message(client, server, salt)
    password = Secret.from_bytes(b"pencil")
    before = posture()
    keys = ClientKeys.from_password(
        password,
        salt=b64decode(salt),
        iterations=4096,
        algorithm=algorithm,
    )
    assert b64encode(keys.proof(message)).decode() == proof
    keys.close()
    assert posture().exports == before.exports
    assert posture().live == before.live
    with pytest.raises(ValueError, match="one iteration or more"):
        ClientKeys.from_password(password, salt=b"salt", iterations=0)
    with pytest.raises(ValueError, match="algorithm is one of"):
        ClientKeys.from_password(
            password, salt=b"salt", iterations=1, algorithm="md5"
        )
