"""
Cryptography whose keys stay in secret memory.

Recipes come first: `secretmem.fernet` and `KeyRing` choose nonces and formats
for you.  Here are the primitives that they are made of: ``aead``, ``Hmac``
and ``hkdf``.  Private keys are in `secretmem.keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.crypto.kdf import hkdf
from secretmem.crypto.mac import Hmac


if TYPE_CHECKING:
    from secretmem.crypto.errors import InvalidSignature, InvalidTag

__all__ = ("Hmac", "InvalidSignature", "InvalidTag", "hkdf")


def __getattr__(name: str) -> object:
    """Find the verdicts, which load cryptography where it is installed."""
    if name not in ("InvalidSignature", "InvalidTag"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from secretmem.crypto import errors

    return getattr(errors, name)
