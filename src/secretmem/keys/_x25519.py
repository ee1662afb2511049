"""X25519 (RFC 7748)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import x25519 as pyca

from secretmem import Secret, _policy
from secretmem.keys._base import PrivateKey


if TYPE_CHECKING:
    from typing import Self

    from secretmem import _native
else:
    _native = _policy.bind()

# What stands before the seed: RFC 8410, section 7.
_PKCS8 = bytes.fromhex("302e020100300506032b656e04220420")


class X25519PrivateKey(PrivateKey, pyca.X25519PrivateKey):
    """An X25519 private key; an instance of pyca's abstract class."""

    __slots__ = ()

    @classmethod
    def _of(cls, key: object) -> Self:
        self = object.__new__(cls)
        self._key = key
        return self

    @classmethod
    def generate(cls, *, inherit: bool | None = None) -> Self:
        """Make a key from 32 random bytes of the kernel."""
        return cls._of(_native.X25519Base.generate(inherit=inherit))

    @classmethod
    def from_seed(cls, seed: Secret, *, inherit: bool | None = None) -> Self:
        """
        Make the key of 32 bytes (RFC 7748's private key).

        Raises:
            InvalidKey: The seed has another length.
        """
        return cls._of(_native.X25519Base.from_seed(seed, inherit=inherit))

    def exchange(  # type: ignore[override]  # pyca returns bytes
        self, peer_public_key: pyca.X25519PublicKey
    ) -> Secret:
        """
        Return the 32-byte shared secret as a Secret.

        Raises:
            InvalidKey: It would be all zero (RFC 7748, section 6.1).
        """
        public = peer_public_key.public_bytes_raw()
        shared: Secret = self._key.exchange(Secret, public)
        return shared

    def public_key(self) -> pyca.X25519PublicKey:
        """Return pyca's public key."""
        return pyca.X25519PublicKey.from_public_bytes(self._key.public())

    def private_bytes_raw(self) -> bytes:
        """Refuse; `seed` gives a Secret."""
        raise TypeError("a private key does not leave secret memory")

    def seed(self) -> Secret:
        """Return the 32 bytes of the private key as a new Secret."""
        seed: Secret = self._key.seed(Secret)
        return seed

    def pkcs8(self) -> Secret:
        """Return the PKCS#8 form (RFC 8410), DER, as a new Secret."""
        with self.seed() as seed:
            return _PKCS8 + seed

    def _number(self, name: str, *, mpint: bool = False) -> Secret:  # noqa: ARG002 - "d" is the only one, and no number
        return self.seed()
