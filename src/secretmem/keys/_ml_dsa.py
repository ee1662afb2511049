"""ML-DSA (FIPS 204): signatures that quantum computers do not forge."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from secretmem.keys._pq import SeedKey, like_pyca


if TYPE_CHECKING:
    from typing_extensions import Buffer


class MLDSAPrivateKey(SeedKey):
    """A private key of ML-DSA: 32 bytes of seed, 2 KB to 5 KB expanded."""

    __slots__ = ()
    _SEED: ClassVar[int] = 32

    def sign(self, data: Buffer, context: Buffer | None = None) -> bytes:
        """
        Sign a message; the signature is hedged by random bytes.

        Args:
            data: The message.
            context: What it is for, at most 255 bytes (FIPS 204, section
                5.2); who verifies must give the same.

        Raises:
            InvalidKey: The context is too long.
        """
        said = b"" if context is None else memoryview(context).tobytes()
        # An integer is no message, but bytes() would take it for zeros.
        message = memoryview(data).tobytes()
        return bytes(self._key.sign_ml_dsa(message, said))

    def sign_mu(self, mu: Buffer) -> bytes:
        """
        Sign the 64-byte representative of a message, context included.

        Raises:
            InvalidKey: It has another length.
        """
        return bytes(self._key.sign_mu(memoryview(mu).tobytes()))


@like_pyca
class MLDSA44PrivateKey(MLDSAPrivateKey):
    """ML-DSA-44: public key 1,312 bytes, signature 2,420 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-dsa-44"
    _OID: ClassVar[bytes] = bytes((3, 17))
    _PUBLIC: ClassVar[int] = 1312


@like_pyca
class MLDSA65PrivateKey(MLDSAPrivateKey):
    """ML-DSA-65: public key 1,952 bytes, signature 3,309 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-dsa-65"
    _OID: ClassVar[bytes] = bytes((3, 18))
    _PUBLIC: ClassVar[int] = 1952


@like_pyca
class MLDSA87PrivateKey(MLDSAPrivateKey):
    """ML-DSA-87: public key 2,592 bytes, signature 4,627 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-dsa-87"
    _OID: ClassVar[bytes] = bytes((3, 19))
    _PUBLIC: ClassVar[int] = 2592
