"""HMAC (RFC 2104) with a key in secret memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret, _policy


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()

SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


class Hmac:
    """
    HMAC under a Secret.

    Args:
        key: The key, of any length; RFC 2104 asks for at least that of the
            hash's output.
        algorithm: ``"sha256"``, ``"sha384"``, ``"sha512"``, or ``"sha1"`` for
            old protocols.
    """

    __slots__ = ("_algorithm", "_key")

    def __init__(self, key: Secret, algorithm: str = "sha256") -> None:
        if not isinstance(key, Secret):
            raise TypeError(f"the key is a Secret, not {type(key).__name__}")
        if algorithm not in SIZES:
            raise ValueError(f"algorithm is one of {', '.join(SIZES)}")
        self._key = key
        self._algorithm = algorithm

    @property
    def digest_size(self) -> int:
        """Bytes of the MAC."""
        return SIZES[self._algorithm]

    def digest(self, message: Buffer) -> bytes:
        """Return the MAC of ``message``, ``digest_size`` bytes."""
        return _native.hmac(self._algorithm, self._key, message)

    def digest_to_secret(
        self, message: Buffer, *, name: str | None = None
    ) -> Secret:
        """
        Return the MAC as a new Secret, where it is the next key of a protocol.

        It is kept as the key is, ``digest_size`` bytes.
        """
        return _native.hmac_to_secret(
            Secret, self._algorithm, self._key, message, name
        )

    def verify(self, message: Buffer, mac: Buffer) -> None:
        """
        Compare in constant time, inside secret memory.

        Raises:
            InvalidSignature: ``mac`` is not the MAC of ``message``.
        """
        if not _native.hmac_verify(self._algorithm, self._key, message, mac):
            from secretmem.crypto.errors import InvalidSignature

            raise InvalidSignature("the MAC does not fit the message")
