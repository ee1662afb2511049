"""
Keys for asyncssh, on both sides of a connection.

`KeyPair` is a private key of `secretmem.keys` as asyncssh wants it, for
``client_keys`` and ``server_host_keys``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from secretmem._shown import unless_unmade
from secretmem.contrib._common import missing


try:
    import asyncssh
    from asyncssh.packet import MPInt, String
    from asyncssh.public_key import SSHKeyPair
except ImportError as error:
    raise missing("asyncssh", "asyncssh>=2.24") from error

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from secretmem import keys


if TYPE_CHECKING:
    Key = (
        keys.Ed25519PrivateKey
        | keys.EllipticCurvePrivateKey
        | keys.RSAPrivateKey
    )

__all__ = ("KeyPair",)

_KINDS = (
    keys.Ed25519PrivateKey,
    keys.EllipticCurvePrivateKey,
    keys.RSAPrivateKey,
)
# RFC 5656, section 6.2.1, and RFC 8332, section 3.
_BY_CURVE = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
_OF_RSA: dict[bytes, hashes.HashAlgorithm] = {
    b"rsa-sha2-256": hashes.SHA256(),
    b"rsa-sha2-512": hashes.SHA512(),
    b"ssh-rsa": hashes.SHA1(),  # noqa: S303 - where both sides want it
}


class KeyPair(SSHKeyPair):
    """
    A key pair that signs in secret memory.

    Args:
        key: Ed25519, RSA, or on a NIST curve.
        comment: Shown in lists of keys.

    Raises:
        TypeError: A key of another kind.
    """

    _key_type = "secretmem"

    def __init__(self, key: Key, comment: str | None = None) -> None:
        if not isinstance(key, _KINDS):
            raise TypeError(
                "the key is an Ed25519, RSA or EC private key of "
                f"secretmem.keys, not {type(key).__name__}"
            )
        line = key.public_key().public_bytes(
            forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
        )
        public = asyncssh.import_public_key(line)
        super().__init__(
            public.algorithm,
            public.algorithm,
            public.sig_algorithms,
            public.sig_algorithms,
            public.public_data,
            comment,
            # RSA would keep the event loop waiting.
            use_executor=isinstance(key, keys.RSAPrivateKey),
        )
        self._private = key

    def sign(self, data: bytes) -> bytes:
        """Return the signature with its algorithm (RFC 4253, section 6.6)."""
        algorithm, signature = self._signature(data)
        return String(algorithm) + String(signature)

    def _signature(self, data: bytes) -> tuple[bytes, bytes]:
        key = self._private
        if isinstance(key, keys.Ed25519PrivateKey):
            return self.key_algorithm, key.sign(data)
        if isinstance(key, keys.RSAPrivateKey):
            name = self.sig_algorithm
            return name, key.sign(data, padding.PKCS1v15(), _OF_RSA[name])
        der = key.sign(data, ec.ECDSA(_BY_CURVE[key.key_size]))
        r, s = utils.decode_dss_signature(der)
        return self.key_algorithm, MPInt(r) + MPInt(s)

    def get_agent_private_key(self) -> NoReturn:
        """Refuse: an agent would get the private key."""
        raise TypeError("a private key does not leave secret memory")

    @unless_unmade
    def __repr__(self) -> str:
        return f"<KeyPair {self._private!r}>"
