"""
Cryptography whose keys stay in secret memory.

Recipes come first: `secretmem.fernet` and `KeyRing` choose nonces and formats
for you.  Here are the primitives that they are made of: ``aead``, ``Hmac``
and ``hkdf``.  Private keys are in `secretmem.keys`.
"""

from __future__ import annotations

from secretmem.crypto.errors import InvalidSignature, InvalidTag
from secretmem.crypto.kdf import hkdf
from secretmem.crypto.mac import Hmac


__all__ = ("Hmac", "InvalidSignature", "InvalidTag", "hkdf")
