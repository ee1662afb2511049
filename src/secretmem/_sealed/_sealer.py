"""`Sealer`: the keys of one store, and what they make and open."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem._sealed import _record
from secretmem.crypto.aead import XChaCha20Poly1305
from secretmem.crypto.kdf import hkdf
from secretmem.crypto.mac import Hmac
from secretmem.exceptions import (
    CryptoError,
    DamagedStoreError,
    InvalidKey,
    KeyLimitError,
)


if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from secretmem.age._wrap import Recipient

KEY_SIZE = 32
ID_SIZE = 16
CHECK_SIZE = 16
MAC_SIZE = 32

_VALUES = b"secretmem sealed store 1: values"
_WHOLE = b"secretmem sealed store 1: whole"
_VALUE = b"secretmem sealed value 1"


class Sealer:
    """
    What is derived from a store's key: by HKDF-SHA256, with the store's id.

    One key is for the values, one authenticates a file as a whole.  Both
    are in secret memory, kept as the store's key is, which the caller may
    close.

    Args:
        key: Secret of 32 bytes.
        identity: The store's id: 16 bytes, random for a new store.
        wrapped: The key as an age file, or nothing.

    ``private`` is whether nobody else has the key.

    Raises:
        TypeError: The key is not a Secret.
        InvalidKey: It has another length.
    """

    __slots__ = (
        *("_cipher", "_mac", "_prefix"),
        *("check", "identity", "private", "wrapped"),
    )

    def __init__(
        self, key: Secret, identity: bytes, wrapped: bytes = b""
    ) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key of a store is a Secret, not {type(key).__name__}"
            )
        if len(key) != KEY_SIZE:
            raise InvalidKey(
                f"the key of a store has {KEY_SIZE} bytes, not {len(key)}; "
                "secretmem.crypto.hkdf or argon2id derive one from another "
                "secret"
            )
        self.identity = identity
        self.wrapped = wrapped
        self.private = False
        self._prefix = _VALUE + identity
        self._cipher = XChaCha20Poly1305(_derived(key, identity, _VALUES))
        self._mac = Hmac(_derived(key, identity, _WHOLE))
        # Tells nothing about the key, and whether it is another one.
        self.check = self._mac.digest(b"check")[:CHECK_SIZE]

    @classmethod
    def new(
        cls, key: Secret, recipients: Iterable[Recipient | str] = ()
    ) -> Self:
        """Make one of a new store; encrypt its key to recipients."""
        to = tuple(recipients)
        wrapped = key.seal_to(*to) if to else b""
        return cls(key, os.urandom(ID_SIZE), wrapped)

    @classmethod
    def generate(
        cls,
        recipients: Iterable[Recipient | str] = (),
        *,
        inherit: bool | None = None,
    ) -> Self:
        """Make one with a random key, which nobody else has."""
        with Secret.random(KEY_SIZE, inherit=inherit) as key:
            made = cls.new(key, recipients)
        made.private = True
        return made

    def seal(self, secret: Secret, name: bytes, head: bytes) -> bytes:
        """Make a record."""
        nonce = os.urandom(_record.NONCE)
        aad = self._prefix + head + name
        return head + nonce + self._cipher.encrypt(nonce, secret, aad)

    def open(self, record: bytes, name: bytes, label: str | None) -> Secret:
        """
        Open a record into a new Secret.

        Raises:
            DamagedStoreError: It is not what was sealed under this name.
        """
        start = _record.split(record)
        end = start + _record.NONCE
        head = record[:start]
        try:
            return self._cipher.decrypt_to_secret(
                record[start:end],
                record[end:],
                self._prefix + head + name,
                name=label,
            )
        except (InvalidKey, KeyLimitError):
            raise
        except CryptoError:
            # Its class, InvalidTag, would load cryptography.
            raise DamagedStoreError(
                f"the sealed value {label!r} was changed after it was "
                "sealed, or belongs to another name"
            ) from None

    def again(self, record: bytes, name: str, older: Sealer) -> bytes:
        """Seal what an older key had sealed."""
        text = _record.encoded(name)
        with older.open(record, text, name) as secret:
            return self.seal(secret, text, record[: _record.split(record)])

    def mac(self, kind: bytes, digest: bytes) -> bytes:
        """Authenticate a whole of a kind by its SHA-256."""
        return self._mac.digest(kind + digest)

    def verify(self, kind: bytes, digest: bytes, mac: bytes) -> None:
        """
        Check the authenticity of a whole.

        Raises:
            InvalidSignature: It is not genuine.
        """
        self._mac.verify(kind + digest, mac)

    def close(self) -> None:
        """Close the keys."""
        self._cipher.close()
        self._mac._key.close()  # noqa: SLF001 - of this package, and ours alone


def _derived(key: Secret, identity: bytes, info: bytes) -> Secret:
    return hkdf(key, KEY_SIZE, salt=identity, info=info, name="sealed store")


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of ciphertext."""
    return hashlib.sha256(data).digest()
