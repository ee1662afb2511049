"""
Cryptography whose keys stay in secret memory.

Recipes come first: `secretmem.fernet` and `KeyRing` choose nonces and formats
for you.  Here are the primitives: ``aead``, ``Hmac``, ``hkdf``, derivation
from passwords, and ``x25519``.  Private keys are in `secretmem.keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.crypto.exchange import x25519
from secretmem.crypto.kdf import argon2id, hkdf, pbkdf2, scrypt
from secretmem.crypto.mac import Hmac


if TYPE_CHECKING:
    from secretmem.crypto.errors import InvalidSignature, InvalidTag

__all__ = (
    "Hmac",
    "InvalidSignature",
    "InvalidTag",
    "argon2id",
    "hkdf",
    "pbkdf2",
    "scrypt",
    "x25519",
)


def __getattr__(name: str) -> object:
    """Find the verdicts, which load cryptography where it is installed."""
    if name not in ("InvalidSignature", "InvalidTag"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from secretmem.crypto import errors

    return getattr(errors, name)
