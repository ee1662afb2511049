"""
Integers are no data.

``bytes(5)`` is five zero bytes: an integer that was passed by mistake would
be signed, encrypted to or decrypted as zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.hashes import SHA256

from secretmem import Secret
from secretmem.crypto import stream
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    MLDSA44PrivateKey,
    MLKEM768PrivateKey,
    RSAPrivateKey,
    encapsulate,
)


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.needs_secretmem


def _encrypt(wrong: Any) -> None:  # noqa: ANN401 - no data
    with Secret.random(32) as key:
        stream.Encryptor(key).update(wrong)


DIGEST = utils.Prehashed(SHA256())
USES: dict[str, Callable[[Any], object]] = {
    "ML-DSA": lambda n: MLDSA44PrivateKey.generate().sign(n),
    "context": lambda n: MLDSA44PrivateKey.generate().sign(b"", n),
    "mu": lambda n: MLDSA44PrivateKey.generate().sign_mu(n + 32),
    "encapsulate": lambda n: encapsulate(n + 1152),
    "decapsulate": lambda n: MLKEM768PrivateKey.generate().decapsulate(
        n + 1056
    ),
    "Ed25519": lambda n: Ed25519PrivateKey.generate().sign(n),
    "ECDSA": lambda n: EllipticCurvePrivateKey.generate(ec.SECP256R1()).sign(
        n, ec.ECDSA(DIGEST)
    ),
    "RSA": lambda n: RSAPrivateKey.generate(2048).sign(
        n, padding.PKCS1v15(), DIGEST
    ),
    "stream": _encrypt,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_integer_is_refused(use: Callable[[Any], object]) -> None:
    """As any Python function refuses it that takes bytes."""
    with pytest.raises(TypeError):
        use(32)
