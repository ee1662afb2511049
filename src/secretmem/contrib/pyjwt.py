"""
HS256, HS384 and HS512 of PyJWT with a Secret.

`register` once, then ``jwt.encode`` and ``jwt.decode`` take a ``Secret``
where they take ``bytes``, which go on working.  The MAC is computed and
compared in secret memory.  The private keys of `secretmem.keys` need nothing
of this: PyJWT takes them as they are.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from secretmem import Secret
from secretmem.contrib._common import missing
from secretmem.crypto.errors import InvalidSignature
from secretmem.crypto.mac import Hmac


try:
    import jwt
    from jwt import algorithms
except ImportError as error:
    raise missing("pyjwt", "PyJWT>=2.8") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("SecretHMACAlgorithm", "register", "registered", "unregister")

_HASHES = {
    "HS256": algorithms.HMACAlgorithm.SHA256,
    "HS384": algorithms.HMACAlgorithm.SHA384,
    "HS512": algorithms.HMACAlgorithm.SHA512,
}

# What PyJWT refuses as an HMAC key: text that is a key of another kind.
_NOT_KEYS = (
    b"-----BEGIN ",
    b"---- BEGIN ",
    b"ssh-rsa ",
    b"ssh-ed25519 ",
    b"ecdsa-sha2-",
    b'{"kty":',
    b'{"k":"',
)
_HEAD = 5


class SecretHMACAlgorithm(algorithms.HMACAlgorithm):
    """PyJWT's algorithm, with a Secret or, as before, with ``bytes``."""

    def prepare_key(self, key: Any) -> Any:  # noqa: ANN401 - PyJWT's own
        """
        Check a key.

        Raises:
            jwt.InvalidKeyError: It is empty, or begins like PEM, an SSH
                public key or a JWK.
        """
        if not isinstance(key, Secret):
            return super().prepare_key(key)
        if not len(key):
            raise jwt.InvalidKeyError("HMAC key must not be empty.")
        if _is_text_of_a_key(key):
            raise jwt.InvalidKeyError(
                "The specified key is an asymmetric key, certificate or JWK "
                "and should not be used as an HMAC secret."
            )
        return key

    def sign(self, msg: bytes, key: Any) -> bytes:  # noqa: ANN401 - as above
        """Return the MAC."""
        if not isinstance(key, Secret):
            return super().sign(msg, key)
        return self._hmac(key).digest(msg)

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:  # noqa: ANN401 - as above
        """Compare the MAC in constant time."""
        if not isinstance(key, Secret):
            return super().verify(msg, key, sig)
        try:
            self._hmac(key).verify(msg, sig)
        except InvalidSignature:
            return False
        return True

    def _hmac(self, key: Secret) -> Hmac:
        return Hmac(key, self.hash_alg().name)


def _is_text_of_a_key(key: Secret) -> bool:
    with key[:_HEAD] as head:
        similar = [s for s in _NOT_KEYS if head.matches(s[:_HEAD])]
    return any(key[: len(start)].matches(start) for start in similar)


def register(target: jwt.PyJWS | None = None) -> None:
    """
    Let HS256, HS384 and HS512 take a Secret.

    Call it when the program starts, before threads that use PyJWT.

    Args:
        target: An object of ``jwt.PyJWS``; None is the one behind
            ``jwt.encode`` and ``jwt.decode``.  Algorithms that it does not
            allow stay forbidden.
    """
    for name, hash_alg in _HASHES.items():
        _replace(target, name, SecretHMACAlgorithm(hash_alg))


def unregister(target: jwt.PyJWS | None = None) -> None:
    """Put PyJWT's own algorithms back."""
    for name, hash_alg in _HASHES.items():
        _replace(target, name, algorithms.HMACAlgorithm(hash_alg))


@contextmanager
def registered(target: jwt.PyJWS | None = None) -> Iterator[None]:
    """Let the algorithms take a Secret until the block ends."""
    register(target)
    try:
        yield
    finally:
        unregister(target)


def _replace(
    target: jwt.PyJWS | None, name: str, algorithm: algorithms.HMACAlgorithm
) -> None:
    place = jwt if target is None else target
    try:
        place.unregister_algorithm(name)
    except KeyError:
        return
    place.register_algorithm(name, algorithm)
