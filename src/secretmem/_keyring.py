"""`KeyRing`: encryption with no nonce to choose, and keys that rotate."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING, Self

from secretmem import Secret, hazmat
from secretmem._shown import unless_unmade
from secretmem.crypto.aead import XChaCha20Poly1305
from secretmem.crypto.mac import Hmac
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from secretmem.crypto.errors import InvalidTag

VERSION = 1
KEY_SIZE = 32
ID_SIZE = 8
_HEADER = 1 + ID_SIZE
_NONCE = XChaCha20Poly1305.NONCE_SIZE
_SHORTEST = _HEADER + _NONCE + XChaCha20Poly1305.TAG_SIZE


class KeyRing:
    """
    Keys for tokens: the first encrypts, the one that a token names decrypts.

    A token is base64url of: version 1 (1 byte), key id (8 bytes), random
    nonce (24 bytes), XChaCha20-Poly1305 ciphertext and tag.  Version and key
    id are authenticated with the associated data.  A key's id is the start
    of HMAC-SHA256 of a fixed text under it, so it tells nothing about it.

    Args:
        keys: Secrets of 32 bytes, newest first.

    Raises:
        InvalidKey: No key, another length, or one key twice.
    """

    __slots__ = ("_ciphers", "_first")

    def __init__(self, keys: Iterable[Secret]) -> None:
        self._ciphers: dict[bytes, XChaCha20Poly1305] = {}
        for key in keys:
            if len(key) != KEY_SIZE:
                raise InvalidKey(
                    f"a key of a ring has {KEY_SIZE} bytes, not {len(key)}"
                )
            identity = key_id(key)
            if identity in self._ciphers:
                raise InvalidKey("the same key is in the ring twice")
            self._ciphers[identity] = XChaCha20Poly1305(key)
        if not self._ciphers:
            raise InvalidKey("a ring has at least one key")
        self._first = next(iter(self._ciphers))

    @classmethod
    def generate(
        cls, *, name: str | None = None, inherit: bool | None = None
    ) -> Self:
        """
        Make a ring with one random key.

        Args:
            name: Of the key.
            inherit: Whether forked children have it.
        """
        return cls([cls.generate_key(name=name, inherit=inherit)])

    @classmethod
    def generate_key(
        cls, *, name: str | None = None, inherit: bool | None = None
    ) -> Secret:
        """Make a key of 32 random bytes."""
        return Secret.random(KEY_SIZE, name=name, inherit=inherit)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The keys' ids in hexadecimal, the encrypting one first."""
        return tuple(identity.hex() for identity in self._ciphers)

    def encrypt(
        self, data: Buffer | Secret, associated_data: bytes = b""
    ) -> bytes:
        """
        Return a token for ``data``, which may be a Secret.

        ``associated_data`` is not in the token: the same must be given to
        decrypt.
        """
        header = bytes([VERSION]) + self._first
        nonce = os.urandom(_NONCE)
        cipher = self._ciphers[self._first]
        sealed = cipher.encrypt(nonce, data, header + associated_data)
        return base64.urlsafe_b64encode(header + nonce + sealed)

    def decrypt(
        self, token: bytes | str, associated_data: bytes = b""
    ) -> bytes:
        """
        Return the message; it lies in ordinary memory then.

        Raises:
            InvalidTag: Damaged, of a key that is not in the ring, or with
                other associated data.
        """
        with self.decrypt_to_secret(token, associated_data) as message:
            return hazmat.export_bytes(message)

    def decrypt_to_secret(
        self,
        token: bytes | str,
        associated_data: bytes = b"",
        *,
        name: str | None = None,
    ) -> Secret:
        """Return the message as a Secret; see `decrypt`."""
        raw = _raw(token)
        header, nonce = raw[:_HEADER], raw[_HEADER : _HEADER + _NONCE]
        cipher = self._ciphers.get(header[1:])
        if header[0] != VERSION or cipher is None:
            raise _invalid("the token names no key of this ring")
        return cipher.decrypt_to_secret(
            nonce,
            raw[_HEADER + _NONCE :],
            header + associated_data,
            name=name,
        )

    def rotate(
        self, token: bytes | str, associated_data: bytes = b""
    ) -> bytes:
        """Return a token with the same message under the first key."""
        with self.decrypt_to_secret(token, associated_data) as message:
            return self.encrypt(message, associated_data)

    def needs_rotation(self, token: bytes | str) -> bool:
        """Tell whether the token is of another key than the first."""
        return _raw(token)[1:_HEADER] != self._first

    @unless_unmade
    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._ciphers)} keys, {self._first.hex()}>"


def key_id(key: Secret) -> bytes:
    """Return the 8-byte id of a key."""
    label = hashlib.sha256(b"secretmem KeyRing key id, version 1").digest()
    return Hmac(key).digest(label)[:ID_SIZE]


def _raw(token: bytes | str) -> bytes:
    if not isinstance(token, (bytes, str)):
        raise TypeError("a token is bytes or str")
    try:
        raw = base64.b64decode(
            token.encode() if isinstance(token, str) else token,
            altchars=b"-_",
            validate=True,
        )
    except (binascii.Error, ValueError):
        raise _invalid("the token is not base64url") from None
    if len(raw) < _SHORTEST:
        raise _invalid("the token is too short")
    return raw


def _invalid(text: str) -> InvalidTag:
    """Make the error; its class loads cryptography where it is there."""
    from secretmem.crypto.errors import InvalidTag

    return InvalidTag(text)
