"""
Signers and serializers of itsdangerous with Secrets as their keys.

The classes have the names, arguments and tokens of itsdangerous; only the
keys are Secrets.  Keys are derived and MACs computed and compared in secret
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.contrib._common import (
    check_secret,
    check_secrets,
    missing,
    salted,
)
from secretmem.crypto.errors import InvalidSignature
from secretmem.crypto.mac import SIZES, Hmac


try:
    import itsdangerous as base
    from itsdangerous import signer as signers
except ImportError as error:
    raise missing("itsdangerous", "itsdangerous>=2.2") from error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretmem import Secret

    Keys = Secret | Iterable[Secret]

__all__ = (
    "HMACAlgorithm",
    "Serializer",
    "Signer",
    "TimedSerializer",
    "TimestampSigner",
    "URLSafeSerializer",
    "URLSafeTimedSerializer",
)


def _hash_name(digest_method: Any) -> str:  # noqa: ANN401 - itsdangerous's own
    name: str = digest_method().name
    if name not in SIZES:
        raise ValueError(f"the hash is one of {', '.join(SIZES)}, not {name}")
    return name


class HMACAlgorithm(signers.HMACAlgorithm):
    """HMAC under a Secret."""

    def get_signature(self, key: Any, value: bytes) -> bytes:  # noqa: ANN401 - a Secret; the base says bytes
        """Return the MAC of ``value``."""
        return self._hmac(key).digest(value)

    def verify_signature(self, key: Any, value: bytes, sig: bytes) -> bool:  # noqa: ANN401 - as above
        """Compare the MAC in constant time."""
        try:
            self._hmac(key).verify(value, sig)
        except InvalidSignature:
            return False
        return True

    def _hmac(self, key: Secret) -> Hmac:
        return Hmac(check_secret(key), _hash_name(self.digest_method))


class _SecretSigner:
    """What `Signer` and `TimestampSigner` have in common."""

    secret_keys: list[Any]
    salt: bytes
    key_derivation: str
    digest_method: Any
    algorithm: signers.SigningAlgorithm

    def __init__(
        self,
        secret_key: Keys,
        salt: str | bytes | None = b"itsdangerous.Signer",
        sep: str | bytes = b".",
        key_derivation: str | None = None,
        digest_method: Any = None,  # noqa: ANN401 - itsdangerous's own
        algorithm: HMACAlgorithm | None = None,
    ) -> None:
        keys: Any = check_secrets(secret_key)
        super().__init__(keys, salt, sep, key_derivation, digest_method)  # type: ignore[call-arg]  # of itsdangerous
        self.algorithm = algorithm or HMACAlgorithm(self.digest_method)

    def derive_key(self, secret_key: Any = None) -> Any:  # noqa: ANN401 - Secrets; the base says bytes
        """Return the key of the MAC, a Secret."""
        key = self.secret_keys[-1] if secret_key is None else secret_key
        name = _hash_name(self.digest_method)
        match self.key_derivation:
            case "concat":
                return salted(name, self.salt, key)
            case "django-concat":
                return salted(name, self.salt + b"signer", key)
            case "hmac":
                return Hmac(key, name).digest_to_secret(self.salt)
            case "none":
                return key
        raise TypeError("Unknown key derivation method")


class Signer(_SecretSigner, base.Signer):
    """
    ``itsdangerous.Signer`` with a Secret, or several, the newest last.

    Raises:
        TypeError: A key is not a Secret.
        ValueError: A key is empty, or the hash is none that ``Hmac`` has.
    """


class TimestampSigner(_SecretSigner, base.TimestampSigner):
    """``itsdangerous.TimestampSigner`` with a Secret; see `Signer`."""


class _SecretKeys:
    """What the serializers have in common."""

    def __init__(
        self,
        secret_key: Keys,
        salt: str | bytes | None = b"itsdangerous",
        **options: Any,  # noqa: ANN401 - itsdangerous's own
    ) -> None:
        keys: Any = check_secrets(secret_key)
        super().__init__(keys, salt, **options)  # type: ignore[call-arg]  # of itsdangerous


class Serializer(_SecretKeys, base.Serializer[str]):
    """``itsdangerous.Serializer`` with a Secret, or several."""

    default_signer = Signer


class TimedSerializer(_SecretKeys, base.TimedSerializer[str]):
    """``itsdangerous.TimedSerializer`` with a Secret, or several."""

    default_signer = TimestampSigner


class URLSafeSerializer(_SecretKeys, base.URLSafeSerializer):
    """``itsdangerous.URLSafeSerializer`` with a Secret, or several."""

    default_signer = Signer


class URLSafeTimedSerializer(_SecretKeys, base.URLSafeTimedSerializer):
    """``itsdangerous.URLSafeTimedSerializer`` with a Secret, or several."""

    default_signer = TimestampSigner
