"""
Keys for paramiko, on both sides of a connection.

`pkey` makes what paramiko wants of a private key of `secretmem.keys`.
paramiko's own class for ECDSA takes the keys as they are.  The other two look
at private numbers to find the public ones, so `Ed25519Key` and `RSAKey` stand
for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from secretmem._shown import unless_unmade
from secretmem.contrib._common import missing


try:
    import paramiko
    from nacl.signing import VerifyKey
except ImportError as error:
    raise missing("paramiko", "paramiko>=5.1") from error

from secretmem import keys


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    Key = (
        keys.Ed25519PrivateKey
        | keys.EllipticCurvePrivateKey
        | keys.RSAPrivateKey
    )

__all__ = ("Ed25519Key", "RSAKey", "pkey")


class Ed25519Key(paramiko.Ed25519Key):  # type: ignore[misc]  # it comes without types
    """
    An Ed25519 key whose private half stays in secret memory.

    Args:
        key: The private key.
    """

    def __init__(self, key: keys.Ed25519PrivateKey) -> None:
        if not isinstance(key, keys.Ed25519PrivateKey):
            raise TypeError(
                "the key is a secretmem.keys.Ed25519PrivateKey, "
                f"not {type(key).__name__}"
            )
        self.public_blob = None
        self._key = key
        self._signing_key = None
        self._verifying_key = VerifyKey(key.public_key().public_bytes_raw())

    @property
    def verifying_key(self) -> VerifyKey:
        """The public key."""
        return self._verifying_key

    def can_sign(self) -> bool:
        """Tell that it can."""
        return True

    def sign_ssh_data(
        self,
        data: bytes,
        algorithm: str | None = None,  # noqa: ARG002 - there is one only
    ) -> Any:  # noqa: ANN401 - paramiko's message
        """Return the signature as RFC 8709 writes it."""
        message = paramiko.Message()
        message.add_string(self.name)
        message.add_string(self._key.sign(data))
        return message

    def write_private_key(
        self, *_arguments: object, **_more: object
    ) -> NoReturn:
        """Refuse; ``private_bytes`` of the key writes it encrypted."""
        raise TypeError("a private key does not leave secret memory")

    write_private_key_file = write_private_key

    @unless_unmade
    def __repr__(self) -> str:
        return f"<Ed25519Key {self._key!r}>"


class RSAKey(paramiko.RSAKey):  # type: ignore[misc]  # as above
    """
    An RSA key whose private half stays in secret memory.

    Args:
        key: The private key.
    """

    def __init__(self, key: keys.RSAPrivateKey) -> None:
        if not isinstance(key, keys.RSAPrivateKey):
            raise TypeError(
                "the key is a secretmem.keys.RSAPrivateKey, "
                f"not {type(key).__name__}"
            )
        super().__init__(key=key)

    @property
    def public_numbers(self) -> RSAPublicNumbers:
        """Modulus and exponent."""
        numbers: RSAPublicNumbers = self.key.public_key().public_numbers()
        return numbers


def pkey(key: Key) -> paramiko.PKey:
    """
    Return paramiko's form of a private key.

    It signs in secret memory, for ``SSHClient.connect(pkey=...)`` and
    ``Transport.add_server_key``.

    Args:
        key: Ed25519, RSA, or on a NIST curve.

    Raises:
        TypeError: A key of another kind.
    """
    if isinstance(key, keys.Ed25519PrivateKey):
        return Ed25519Key(key)
    if isinstance(key, keys.RSAPrivateKey):
        return RSAKey(key)
    if isinstance(key, keys.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    raise TypeError(
        "the key is an Ed25519, RSA or EC private key of secretmem.keys, "
        f"not {type(key).__name__}"
    )
