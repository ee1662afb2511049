"""ML-DSA and ML-KEM against published answers."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa

from secretmem import Secret, keys
from secretmem.exceptions import InvalidKey
from vectors.cases import Row, data, judge, load


pytestmark = pytest.mark.needs_secretmem

_DSA = {
    44: keys.MLDSA44PrivateKey,
    65: keys.MLDSA65PrivateKey,
    87: keys.MLDSA87PrivateKey,
}
_KEM = {
    512: keys.MLKEM512PrivateKey,
    768: keys.MLKEM768PrivateKey,
    1024: keys.MLKEM1024PrivateKey,
}


def _seed(data: bytes) -> Secret:
    if not data:
        raise InvalidKey("a Secret has at least one byte")
    return Secret.from_bytes(data)


def test_ml_dsa() -> None:
    """The public key is the standard's; another library verifies."""

    def answer(row: Row) -> bool:
        seed, public, message, context, mu = data(
            row, "seed", "public", "msg", "ctx", "mu"
        )
        key = _DSA[row["set"]].from_seed(_seed(seed))
        if hashlib.sha256(key.public_bytes_raw()).digest() != public:
            return False
        verifier = key.public_key()
        assert isinstance(
            verifier,
            mldsa.MLDSA44PublicKey
            | mldsa.MLDSA65PublicKey
            | mldsa.MLDSA87PublicKey,
        )
        if mu:
            verifier.verify_mu(key.sign_mu(mu), mu)
        verifier.verify(key.sign(message, context), message, context)
        # Hedged: no two are the same.
        return key.sign(message, context) != key.sign(message, context)

    judge(load("ml_dsa"), answer, InvalidKey, {"valid": 63, "invalid": 12})


def test_ml_kem() -> None:
    """Shared secrets, of ciphertexts for other keys too; refusals."""

    def answer(row: Row) -> bool:
        seed, public, ciphertext, shared = data(
            row, "seed", "public", "c", "K"
        )
        if row["kind"].startswith("encaps"):
            keys.encapsulate(public)
            return True
        key = _KEM[row["set"]].from_seed(_seed(seed))
        if hashlib.sha256(key.public_bytes_raw()).digest() != public:
            return False
        return key.decapsulate_to_secret(ciphertext).matches(shared)

    judge(load("ml_kem"), answer, InvalidKey, {"valid": 21, "invalid": 36})
