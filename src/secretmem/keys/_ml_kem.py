"""ML-KEM (FIPS 203): shared secrets that quantum computers do not find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from secretmem import Secret, _policy, hazmat
from secretmem.exceptions import InvalidKey
from secretmem.keys._pq import SeedKey, like_pyca


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()


class MLKEMPrivateKey(SeedKey):
    """A private key of ML-KEM: 64 bytes of seed."""

    __slots__ = ()
    _SEED: ClassVar[int] = 64

    def decapsulate_to_secret(self, ciphertext: Buffer) -> Secret:
        """
        Return the 32-byte shared secret of a ciphertext as a Secret.

        A ciphertext that is not for this key gives a secret that nobody else
        has (implicit rejection, FIPS 203, section 6.3): no error tells.

        Raises:
            InvalidKey: The ciphertext has another length.
        """
        # An integer is no ciphertext, but bytes() would take it for zeros.
        sent = memoryview(ciphertext).tobytes()
        shared: Secret = self._key.decapsulate(Secret, sent)
        return shared

    def decapsulate(self, ciphertext: Buffer) -> bytes:
        """Decapsulate into ordinary memory; counted as an export."""
        with self.decapsulate_to_secret(ciphertext) as shared:
            return hazmat.export_bytes(shared)


@like_pyca
class MLKEM512PrivateKey(MLKEMPrivateKey):
    """ML-KEM-512: public key 800 bytes, ciphertext 768 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-kem-512"
    _OID: ClassVar[bytes] = bytes((4, 1))
    _PUBLIC: ClassVar[int] = 800


@like_pyca
class MLKEM768PrivateKey(MLKEMPrivateKey):
    """ML-KEM-768: public key 1,184 bytes, ciphertext 1,088 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-kem-768"
    _OID: ClassVar[bytes] = bytes((4, 2))
    _PUBLIC: ClassVar[int] = 1184


@like_pyca
class MLKEM1024PrivateKey(MLKEMPrivateKey):
    """ML-KEM-1024: public key 1,568 bytes, ciphertext 1,568 bytes."""

    __slots__ = ()
    _KIND: ClassVar[str] = "ml-kem-1024"
    _OID: ClassVar[bytes] = bytes((4, 3))
    _PUBLIC: ClassVar[int] = 1568


_BY_SIZE = {
    cls._PUBLIC: cls._KIND
    for cls in (MLKEM512PrivateKey, MLKEM768PrivateKey, MLKEM1024PrivateKey)
}


def encapsulate(
    public_key: Any,  # noqa: ANN401 - of a class that may not be there
    *,
    inherit: bool | None = None,
) -> tuple[Secret, bytes]:
    """
    Make a shared secret for the holder of a private key of ML-KEM.

    Args:
        public_key: pyca's public key, or its bytes: 800, 1,184 or 1,568.
        inherit: Whether forked children have the secret.

    Returns:
        The 32-byte shared secret, and the ciphertext to send.

    Raises:
        InvalidKey: These are no bytes of a public key.
    """
    raw = getattr(public_key, "public_bytes_raw", None)
    public = raw() if callable(raw) else memoryview(public_key).tobytes()
    kind = _BY_SIZE.get(len(public))
    if kind is None:
        raise InvalidKey(
            f"a public key of ML-KEM has {', '.join(map(str, _BY_SIZE))} "
            f"bytes, not {len(public)}"
        )
    return _native.encapsulate(Secret, kind, public, inherit=inherit)
