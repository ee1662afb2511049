"""
Private keys that live, sign and decrypt in secret memory.

The classes are instances of ``cryptography``'s abstract classes, so what
takes its keys takes these: PyJWT, the x509 builders, PKCS7.  They need the
extra ``secretmem[crypto]``.
"""

from __future__ import annotations

from secretmem.keys._ec import EllipticCurvePrivateKey
from secretmem.keys._ed25519 import Ed25519PrivateKey
from secretmem.keys._forms import PassphraseEncryption
from secretmem.keys._load import load_der, load_file, load_jwk, load_pem
from secretmem.keys._ml_dsa import (
    MLDSA44PrivateKey,
    MLDSA65PrivateKey,
    MLDSA87PrivateKey,
)
from secretmem.keys._ml_kem import (
    MLKEM512PrivateKey,
    MLKEM768PrivateKey,
    MLKEM1024PrivateKey,
    encapsulate,
)
from secretmem.keys._rsa import RSAPrivateKey
from secretmem.keys._x25519 import X25519PrivateKey


__all__ = (
    "Ed25519PrivateKey",
    "EllipticCurvePrivateKey",
    "MLDSA44PrivateKey",
    "MLDSA65PrivateKey",
    "MLDSA87PrivateKey",
    "MLKEM512PrivateKey",
    "MLKEM768PrivateKey",
    "MLKEM1024PrivateKey",
    "PassphraseEncryption",
    "RSAPrivateKey",
    "X25519PrivateKey",
    "encapsulate",
    "load_der",
    "load_file",
    "load_jwk",
    "load_pem",
)
