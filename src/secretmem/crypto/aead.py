"""
Authenticated encryption with associated data, keys in secret memory.

The classes have the methods of ``cryptography``'s and two more:
`decrypt_to_secret`, whose plaintext never leaves secret memory, and
`decrypt_into`, which writes to a buffer of yours.  A nonce must never be used
twice with one key; ``KeyRing`` and ``fernet`` take care of that for you.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from secretmem import Secret, _policy
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()


class _Aead:
    """What the ciphers have in common."""

    __slots__ = ("_key",)

    KEY_SIZES: ClassVar[tuple[int, ...]] = (32,)
    NONCE_SIZE: ClassVar[int] = 12
    TAG_SIZE: ClassVar[int] = 16
    _ALGORITHM: ClassVar[str]

    def __init__(self, key: Secret) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key is a Secret, not {type(key).__name__}: "
                "Secret.from_bytes(key, wipe=True) makes one"
            )
        if len(key) not in self.KEY_SIZES:
            sizes = " or ".join(str(size) for size in self.KEY_SIZES)
            raise InvalidKey(f"the key has {sizes} bytes, not {len(key)}")
        self._key = key

    @classmethod
    def generate_key(cls, **options: bool | str | None) -> Secret:
        """Make a random key; ``options`` are those of every Secret."""
        return Secret.random(cls.KEY_SIZES[-1], **options)  # type: ignore[arg-type]  # checked there

    @classmethod
    def generate(cls, **options: bool | str | None) -> Self:
        """Make a cipher with a random key."""
        return cls(cls.generate_key(**options))

    def encrypt(
        self,
        nonce: bytes,
        data: Buffer | Secret,
        associated_data: bytes | None = None,
    ) -> bytes:
        """
        Encrypt ``data``, which may be a Secret; returns ciphertext and tag.

        Args:
            nonce: ``NONCE_SIZE`` bytes, never used before with this key.
            data: The plaintext.
            associated_data: Authenticated with it, not encrypted.

        Raises:
            InvalidKey: The nonce has another length.
        """
        aad = associated_data or b""
        return _native.aead_seal(self._ALGORITHM, self._key, nonce, data, aad)

    def decrypt(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None = None,
    ) -> bytes:
        """
        Decrypt into ordinary memory.

        Raises:
            InvalidTag: Key, nonce, ciphertext or associated data do not fit.
        """
        aad = associated_data or b""
        return _native.aead_open(self._ALGORITHM, self._key, nonce, data, aad)

    def decrypt_to_secret(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None = None,
        *,
        name: str | None = None,
    ) -> Secret:
        """
        Decrypt into a new Secret, kept as the key is.

        Raises:
            InvalidTag: As `decrypt`.
        """
        return _native.aead_open_to_secret(
            Secret,
            self._ALGORITHM,
            self._key,
            nonce,
            data,
            associated_data or b"",
            name,
        )

    def decrypt_into(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None,
        buffer: Buffer,
    ) -> int:
        """
        Decrypt into ``buffer``, exactly as long as the plaintext.

        Returns the number of bytes written.  On a wrong tag the buffer holds
        zeros.

        Raises:
            InvalidTag: As `decrypt`, or the buffer has another length.
        """
        aad = associated_data or b""
        _native.aead_open_into(
            self._ALGORITHM, self._key, nonce, data, aad, buffer
        )
        return len(memoryview(buffer))

    def close(self) -> None:
        """Close the key."""
        self._key.close()


class AESGCM(_Aead):
    """AES-GCM (NIST SP 800-38D), 16, 24 or 32-byte keys, 12-byte nonces."""

    __slots__ = ()
    KEY_SIZES = (16, 24, 32)
    _ALGORITHM = "aes-gcm"


class AESGCMSIV(_Aead):
    """AES-GCM-SIV (RFC 8452), which survives a repeated nonce better."""

    __slots__ = ()
    KEY_SIZES = (16, 32)
    _ALGORITHM = "aes-gcm-siv"


class ChaCha20Poly1305(_Aead):
    """ChaCha20-Poly1305 (RFC 8439), 12-byte nonces."""

    __slots__ = ()
    _ALGORITHM = "chacha20-poly1305"


class XChaCha20Poly1305(_Aead):
    """XChaCha20-Poly1305: 24-byte nonces, which may be random."""

    __slots__ = ()
    NONCE_SIZE = 24
    _ALGORITHM = "xchacha20-poly1305"
