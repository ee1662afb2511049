"""ECDSA and ECDH on the NIST curves (FIPS 186-5, SP 800-56A)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec as pyca
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from secretmem import Secret, _policy
from secretmem.keys._base import PrivateKey
from secretmem.keys._digest import digest_of


if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()

_CURVES: dict[str, tuple[str, type[pyca.EllipticCurve]]] = {
    "secp256r1": ("p256", pyca.SECP256R1),
    "secp384r1": ("p384", pyca.SECP384R1),
    "secp521r1": ("p521", pyca.SECP521R1),
}


class EllipticCurvePrivateKey(PrivateKey, pyca.EllipticCurvePrivateKey):
    """A key on P-256, P-384 or P-521; an instance of pyca's abstract class."""

    __slots__ = ()

    @classmethod
    def _of(cls, key: object) -> Self:
        self = object.__new__(cls)
        self._key = key
        return self

    @classmethod
    def generate(
        cls, curve: pyca.EllipticCurve, *, inherit: bool | None = None
    ) -> Self:
        """
        Make a key inside secret memory.

        Raises:
            UnsupportedAlgorithm: Another curve than those three.
        """
        if curve.name not in _CURVES:
            raise UnsupportedAlgorithm(f"no keys on the curve {curve.name}")
        kind = _CURVES[curve.name][0]
        return cls._of(_native.KeyBase.generate(kind, 0, inherit=inherit))

    @property
    def curve(self) -> pyca.EllipticCurve:
        """The curve."""
        return next(
            c() for kind, c in _CURVES.values() if kind == self._key.kind
        )

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return int(self._key.bits)

    def sign(
        self,
        data: Buffer,
        signature_algorithm: pyca.EllipticCurveSignatureAlgorithm,
    ) -> bytes:
        """
        Sign by ECDSA; returns DER.

        Raises:
            UnsupportedAlgorithm: Another algorithm, a hash that is not
                SHA-2, or deterministic nonces.
        """
        if not isinstance(signature_algorithm, pyca.ECDSA):
            raise UnsupportedAlgorithm("keys on curves sign by ECDSA")
        if getattr(signature_algorithm, "deterministic_signing", False):
            raise UnsupportedAlgorithm("no deterministic nonces here")
        _, digest = digest_of(data, signature_algorithm.algorithm)
        signature: bytes = self._key.sign_ecdsa(digest)
        return signature

    def exchange(  # type: ignore[override]  # pyca returns bytes
        self,
        algorithm: pyca.ECDH,  # noqa: ARG002 - as pyca has it
        peer_public_key: pyca.EllipticCurvePublicKey,
    ) -> Secret:
        """
        Return the shared secret of ECDH as a Secret.

        Raises:
            ValueError: The peer's key is on another curve.
        """
        if peer_public_key.curve.name != self.curve.name:
            raise ValueError("the peer's public key is on another curve")
        point = peer_public_key.public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        shared: Secret = self._key.exchange(Secret, point)
        return shared

    def public_key(self) -> pyca.EllipticCurvePublicKey:
        """Return pyca's public key."""
        return cast(
            "pyca.EllipticCurvePublicKey",
            load_der_public_key(self._key.public()),
        )
