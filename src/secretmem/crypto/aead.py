"""
Authenticated encryption with associated data, keys in secret memory.

The classes have the methods of ``cryptography``'s and one more:
`decrypt_to_secret`, whose plaintext never leaves secret memory.  A nonce must
never be used twice with one key; ``KeyRing`` and ``fernet`` take care of that
for you.

An object counts what it does and raises ``KeyLimitError`` at the limits of
its algorithm, which are constants of its class:

- ``MAX_MESSAGES``: so many random 12-byte nonces repeat one with a chance of
  2**-32 (NIST SP 800-38D, section 8.3).
- ``MAX_BYTES``: of AES-GCM, blocks enough to tell it from random with a
  chance of 2**-32 ("Usage Limits on AEAD Algorithms" of the CFRG, section
  5.1.1: the square of the blocks by 2**129).
- ``MAX_FAILURES``: messages that did not authenticate, each of which may be
  a forger's try (RFC 9147, section 4.5.3).

The counts are of one object in one process: two objects with one key, or a
forked child, count for themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from secretmem import Secret, _policy
from secretmem.exceptions import CryptoError, InvalidKey, KeyLimitError


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()


class _Aead:
    """
    What the ciphers have in common.

    Args:
        key: Of one of the lengths in ``KEY_SIZES``.
        max_messages: How many may be encrypted with this object; a higher
            number is for nonces that count, which do not repeat.
        max_failures: How many may fail to authenticate; a lower number
            stops a guesser earlier, and lets one stop you.

    Raises:
        TypeError: The key is not a Secret.
        InvalidKey: It has another length.
    """

    __slots__ = (
        "_bytes",
        "_failures",
        "_key",
        "_max_failures",
        "_max_messages",
        "_messages",
    )

    KEY_SIZES: ClassVar[tuple[int, ...]] = (32,)
    NONCE_SIZE: ClassVar[int] = 12
    TAG_SIZE: ClassVar[int] = 16
    MAX_MESSAGES: ClassVar[int] = 1 << 32
    MAX_BYTES: ClassVar[int] = 1 << 64
    MAX_FAILURES: ClassVar[int] = 1 << 36
    _ALGORITHM: ClassVar[str]

    def __init__(
        self,
        key: Secret,
        *,
        max_messages: int | None = None,
        max_failures: int | None = None,
    ) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key is a Secret, not {type(key).__name__}: "
                "Secret.from_bytes(key, wipe=True) makes one"
            )
        if len(key) not in self.KEY_SIZES:
            sizes = " or ".join(str(size) for size in self.KEY_SIZES)
            raise InvalidKey(f"the key has {sizes} bytes, not {len(key)}")
        self._key = key
        self._max_messages = _at_most(max_messages, self.MAX_MESSAGES)
        self._max_failures = _at_most(max_failures, self.MAX_FAILURES)
        # Plain sums without a lock: the interpreter does not switch threads
        # within such a statement, and the limits are no cliffs.
        self._messages = self._bytes = self._failures = 0

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
            InvalidKey: The nonce has another length, or the message is
                longer than the algorithm takes (64 GiB of AES, 256 GiB of
                ChaCha20).
            KeyLimitError: The key needs a successor.
        """
        if (
            len(nonce) != self.NONCE_SIZE
            or self._messages >= self._max_messages
            or self._bytes >= self.MAX_BYTES
        ):
            raise self._refusal(nonce)
        aad = associated_data or b""
        sealed = _native.aead_seal(
            self._ALGORITHM, self._key, nonce, data, aad
        )
        self._messages += 1
        self._bytes += len(sealed)
        return sealed

    def encrypt_into(
        self,
        nonce: bytes,
        data: Buffer | Secret,
        associated_data: bytes | None,
        buffer: Buffer,
    ) -> int:
        """
        Encrypt into ``buffer``, ``TAG_SIZE`` bytes longer than the data.

        Returns the number of bytes written.

        Raises:
            ValueError: ``data`` and ``buffer`` share memory.
            InvalidKey: As `encrypt`, or the buffer has another length.
            KeyLimitError: As `encrypt`.
        """
        if (
            len(nonce) != self.NONCE_SIZE
            or self._messages >= self._max_messages
            or self._bytes >= self.MAX_BYTES
        ):
            raise self._refusal(nonce)
        aad = associated_data or b""
        _native.aead_seal_into(
            self._ALGORITHM, self._key, nonce, data, aad, buffer
        )
        self._messages += 1
        size = memoryview(buffer).nbytes
        self._bytes += size
        return size

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
            InvalidKey: The nonce has another length.
            KeyLimitError: Too many messages did not authenticate.
        """
        self._check(nonce)
        aad = associated_data or b""
        try:
            return _native.aead_open(
                self._ALGORITHM, self._key, nonce, data, aad
            )
        except CryptoError as error:
            self._count(error)
            raise

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
            InvalidTag, InvalidKey, KeyLimitError: As `decrypt`.
        """
        self._check(nonce)
        aad = associated_data or b""
        try:
            return _native.aead_open_to_secret(
                Secret, self._ALGORITHM, self._key, nonce, data, aad, name
            )
        except CryptoError as error:
            self._count(error)
            raise

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
            ValueError: ``data`` and ``buffer`` share memory, or the buffer
                has another length.
            TypeError: The buffer cannot be written to.
            InvalidTag, InvalidKey, KeyLimitError: As `decrypt`.
        """
        self._check(nonce)
        aad = associated_data or b""
        with memoryview(buffer) as room, memoryview(data) as given:
            size, most = room.nbytes, given.nbytes - self.TAG_SIZE
            if size != most >= 0:
                raise ValueError(
                    f"the buffer has {size} bytes, and the plaintext {most}"
                )
        try:
            _native.aead_open_into(
                self._ALGORITHM, self._key, nonce, data, aad, buffer
            )
        except CryptoError as error:
            self._count(error)
            raise
        return size

    @property
    def failures(self) -> int:
        """How many messages did not authenticate."""
        return self._failures

    def close(self) -> None:
        """Close the key."""
        self._key.close()

    def _check(self, nonce: bytes) -> None:
        """Refuse what cannot be right before the key is used."""
        if len(nonce) != self.NONCE_SIZE:
            raise self._wrong_nonce(nonce)
        if self._failures >= self._max_failures:
            raise KeyLimitError(
                f"{self._failures} messages did not authenticate under this "
                "key: somebody may be trying to forge one; find out who, and "
                "change the key"
            )

    def _count(self, error: CryptoError) -> None:
        if not isinstance(error, InvalidKey):
            self._failures += 1

    def _refusal(self, nonce: bytes) -> CryptoError:
        """Say why nothing is encrypted."""
        if len(nonce) != self.NONCE_SIZE:
            return self._wrong_nonce(nonce)
        return self._worn_out()

    def _wrong_nonce(self, nonce: bytes) -> InvalidKey:
        return InvalidKey(
            f"the nonce of {type(self).__name__} has {self.NONCE_SIZE} "
            f"bytes, not {len(nonce)}"
        )

    def _worn_out(self) -> KeyLimitError:
        return KeyLimitError(
            f"this {type(self).__name__} encrypted {self._messages} messages, "
            f"{self._bytes} bytes in all, and more would be less safe: use a "
            "new key"
        )


def _at_most(given: int | None, usual: int) -> int:
    if given is None:
        return usual
    if given < 1:
        raise ValueError(f"a limit is 1 or more, not {given}")
    return given


class AESGCM(_Aead):
    """AES-GCM (NIST SP 800-38D), 16, 24 or 32-byte keys, 12-byte nonces."""

    __slots__ = ()
    KEY_SIZES = (16, 24, 32)
    MAX_BYTES = 1 << 52
    _ALGORITHM = "aes-gcm"


class AESGCMSIV(_Aead):
    """AES-GCM-SIV (RFC 8452), which survives a repeated nonce better."""

    __slots__ = ()
    KEY_SIZES = (16, 32)
    MAX_BYTES = 1 << 52
    _ALGORITHM = "aes-gcm-siv"


class ChaCha20Poly1305(_Aead):
    """ChaCha20-Poly1305 (RFC 8439), 12-byte nonces."""

    __slots__ = ()
    _ALGORITHM = "chacha20-poly1305"


class XChaCha20Poly1305(_Aead):
    """XChaCha20-Poly1305: 24-byte nonces, which may be random."""

    __slots__ = ()
    NONCE_SIZE = 24
    # The same chance with random nonces of 192 bits.
    MAX_MESSAGES = 1 << 80
    _ALGORITHM = "xchacha20-poly1305"
