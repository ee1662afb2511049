"""
Keys for the signatures of joserfc (JWS, JWT).

`OctKey` holds a Secret; after `register` the algorithms HS256, HS384 and
HS512 take it.  `OKPKey`, `ECKey` and `RSAKey` hold the private keys of
`secretmem.keys`.  All are instances of joserfc's classes of these names, and
show their public parameters only.

JWE is not offered: joserfc decrypts with the content's key in ordinary
memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from secretmem._shown import unless_unmade
from secretmem.contrib._common import check_secret, missing
from secretmem.crypto.errors import InvalidSignature
from secretmem.crypto.mac import Hmac


try:
    from joserfc import jwa, jwk, jws
except ImportError as error:
    raise missing("joserfc", "joserfc>=1.8") from error

from secretmem import keys


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem import Secret

    Parameters = jwk.KeyParameters | None

__all__ = (
    "ECKey",
    "OKPKey",
    "OctKey",
    "RSAKey",
    "SecretHMACAlgorithm",
    "register",
    "registered",
    "unregister",
)

_SIZES: tuple[Literal[256, 384, 512], ...] = (256, 384, 512)


class OctKey(jwk.OctKey):
    """
    A symmetric key in secret memory.

    Args:
        secret: The key.
        parameters: Of the JWK, such as ``kid``, ``use`` and ``alg``.  A key
            in a ``KeySet`` needs a ``kid``: no thumbprint is made of a
            secret.
    """

    # "k" is not among the parameters that it shows.
    value_registry = {}  # noqa: RUF012 - joserfc's own

    def __init__(self, secret: Secret, parameters: Parameters = None) -> None:
        value: Any = check_secret(secret)
        super().__init__(value, value, parameters)
        self._dict_value = {**(parameters or {}), "kty": self.key_type}  # type: ignore[dict-item]  # a TypedDict's values
        self.validate_dict_key(self._dict_value)

    def thumbprint(self) -> NoReturn:
        """Refuse: it would be a hash of the key, for everybody to try."""
        raise TypeError("a Secret has no thumbprint: give the key a kid")

    def as_dict(self, private: bool = False, **params: Any) -> NoReturn:  # noqa: ANN401, ARG002, FBT001, FBT002 - joserfc's own
        """Refuse: joserfc's form of a symmetric key has the key in it."""
        raise TypeError("a Secret is not shown as a JWK")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OctKey):
            return False
        same: bool = self._raw_value == other._raw_value
        return same and self._dict_value == other._dict_value

    __hash__ = None  # type: ignore[assignment]  # as joserfc's keys

    @unless_unmade
    def __repr__(self) -> str:
        return f"<OctKey {self._raw_value!r}>"


class _PublicParameters:
    """The JWK of a private key has its public parameters only."""

    @classmethod
    def import_key(cls, *_arguments: object) -> NoReturn:
        """Refuse what would lie in ordinary memory first."""
        raise TypeError(
            f"{cls.__name__} is made of a private key of secretmem.keys, "
            "which load_file and load_pem read"
        )

    generate_key = derive_key = import_key

    def as_dict(self, private: bool = False, **params: Any) -> Any:  # noqa: ANN401, FBT001, FBT002 - joserfc's own
        """Return the public JWK; refuse the private one."""
        if private:
            raise TypeError("a private key does not leave secret memory")
        return super().as_dict(**params)  # type: ignore[misc]  # of joserfc's class

    def exchange_derive_key(self, key: object) -> NoReturn:  # noqa: ARG002 - joserfc's own
        """Refuse: JWE wants the shared secret in ordinary memory."""
        raise TypeError("key agreement of JWE is not offered")


def _checked(key: object, kind: type) -> Any:  # noqa: ANN401 - for joserfc
    if not isinstance(key, kind):
        raise TypeError(
            f"the key is a secretmem.keys.{kind.__name__}, "
            f"not {type(key).__name__}"
        )
    return key


def _public(binding: Any) -> Any:  # noqa: ANN401 - a class of joserfc
    """Make a class that gives the public parameters of a private key."""

    class PublicBinding(binding):  # type: ignore[misc]  # known when it runs
        @classmethod
        def export_private_key(cls, key: Any) -> Any:  # noqa: ANN401 - joserfc's own
            return cls.export_public_key(key.public_key())

    return PublicBinding


class OKPKey(_PublicParameters, jwk.OKPKey):  # type: ignore[misc]  # refuses what it inherits
    """An Ed25519 private key, for the algorithms Ed25519 and EdDSA."""

    binding = _public(jwk.OKPKey.binding)

    def __init__(
        self, key: keys.Ed25519PrivateKey, parameters: Parameters = None
    ) -> None:
        key = _checked(key, keys.Ed25519PrivateKey)
        super().__init__(key, key, parameters)


class ECKey(_PublicParameters, jwk.ECKey):  # type: ignore[misc]  # as above
    """A private key on a NIST curve, for ES256, ES384 and ES512."""

    binding = _public(jwk.ECKey.binding)

    def __init__(
        self, key: keys.EllipticCurvePrivateKey, parameters: Parameters = None
    ) -> None:
        key = _checked(key, keys.EllipticCurvePrivateKey)
        super().__init__(key, key, parameters)


class RSAKey(_PublicParameters, jwk.RSAKey):  # type: ignore[misc]  # as above
    """An RSA private key, for RS256 to RS512 and PS256 to PS512."""

    binding = _public(jwk.RSAKey.binding)

    def __init__(
        self, key: keys.RSAPrivateKey, parameters: Parameters = None
    ) -> None:
        key = _checked(key, keys.RSAPrivateKey)
        super().__init__(key, key, parameters)


class SecretHMACAlgorithm(jwa.HMACAlgorithm):
    """joserfc's algorithm, with our `OctKey` or, as before, with its own."""

    def sign(self, msg: bytes, key: jwk.OctKey) -> bytes:
        """Return the MAC."""
        if not isinstance(key, OctKey):
            return super().sign(msg, key)
        return self._hmac(key.get_op_key("sign")).digest(msg)

    def verify(self, msg: bytes, sig: bytes, key: jwk.OctKey) -> bool:
        """Compare the MAC in constant time."""
        if not isinstance(key, OctKey):
            return super().verify(msg, sig, key)
        try:
            self._hmac(key.get_op_key("verify")).verify(msg, sig)
        except InvalidSignature:
            return False
        return True

    def _hmac(self, secret: Any) -> Hmac:  # noqa: ANN401 - a Secret; joserfc says bytes
        return Hmac(secret, f"sha{self.algorithm_security}")


def register() -> None:
    """Let HS256, HS384 and HS512 take our `OctKey`, in all of joserfc."""
    for size in _SIZES:
        _place(SecretHMACAlgorithm(size, recommended=size == _SIZES[0]))


def unregister() -> None:
    """Put joserfc's own algorithms back."""
    for size in _SIZES:
        _place(jwa.HMACAlgorithm(size, recommended=size == _SIZES[0]))


@contextmanager
def registered() -> Iterator[None]:
    """Let the algorithms take our `OctKey` until the block ends."""
    register()
    try:
        yield
    finally:
        unregister()


def _place(algorithm: jwa.HMACAlgorithm) -> None:
    """Replace one; ``JWSRegistry.register`` would recommend it twice."""
    jws.JWSRegistry.algorithms[algorithm.name] = algorithm
