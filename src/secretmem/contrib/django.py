"""
Django's signing with a Secret.

`Signer` and `TimestampSigner` take the place of ``django.core.signing``'s,
`dumps` and `loads` of its functions, with the same tokens for the same key.
For signed cookies, in the settings::

    SIGNING_BACKEND = "secretmem.contrib.django.CookieSigner"
    SECRETMEM_SIGNING_KEY = Secret.from_credential("django")

``SECRET_KEY`` itself must stay a ``str``: what Django signs without its
signing backend (sessions, password resets, messages) reads that, and would
take the text ``<Secret ...>`` of a Secret for the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem import Secret
from secretmem.contrib._common import (
    check_secret,
    check_secrets,
    missing,
    salted,
)
from secretmem.crypto.mac import Hmac


try:
    from django.conf import settings
    from django.core import signing
    from django.core.exceptions import ImproperlyConfigured
except ImportError as error:
    raise missing("django", "Django>=4.2") from error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

__all__ = ("CookieSigner", "Signer", "TimestampSigner", "dumps", "loads")

_COOKIES = b"django.http.cookies"


class _SecretSigner:
    """What the signers have in common."""

    algorithm: str
    salt: str
    key: Secret

    def __init__(
        self,
        *,
        key: Secret,
        sep: str = ":",
        salt: str | None = None,
        algorithm: str | None = None,
        fallback_keys: Iterable[Secret] = (),
    ) -> None:
        name = type(self).__name__
        super().__init__(  # type: ignore[call-arg]  # of Django's class
            key=check_secret(key),
            sep=sep,
            # Django's default, so that tokens are interchangeable.
            salt=salt or f"django.core.signing.{name}",
            algorithm=algorithm,
            fallback_keys=check_secrets(fallback_keys),
        )

    def signature(self, value: str | bytes, key: Secret | None = None) -> str:
        """Return the signature that Django would make, in base64."""
        chosen = self.key if key is None else key
        text = value.encode() if isinstance(value, str) else value
        salt = f"{self.salt}signer".encode()
        with salted(self.algorithm, salt, chosen) as derived:
            mac = Hmac(derived, self.algorithm).digest(text)
        return str(signing.b64_encode(mac).decode())


class Signer(_SecretSigner, signing.Signer):  # type: ignore[misc]  # Django has no types
    """
    ``django.core.signing.Signer`` with a Secret.

    Args:
        key: The key; it does not default to ``SECRET_KEY``.
        fallback_keys: Old keys, which verify only.
        algorithm: ``"sha256"`` by default; ``"sha1"``, ``"sha384"`` or
            ``"sha512"``.
        sep, salt: As Django has them.

    Raises:
        TypeError: A key is not a Secret.
        ValueError: A key is empty, or there is no such algorithm.
    """


class TimestampSigner(_SecretSigner, signing.TimestampSigner):  # type: ignore[misc]  # as above
    """``django.core.signing.TimestampSigner`` with a Secret; see `Signer`."""


class CookieSigner(TimestampSigner):
    """
    Signs cookies under the Secret of the settings: a SIGNING_BACKEND.

    The keys are ``SECRETMEM_SIGNING_KEY`` and the list
    ``SECRETMEM_SIGNING_KEY_FALLBACKS``; those that Django passes, made from
    ``SECRET_KEY``, are not used.

    Raises:
        ImproperlyConfigured: The setting is missing or is not a Secret, or
            SECRET_KEY is one.
    """

    def __init__(
        self, *, key: object = None, fallback_keys: object = (), salt: str
    ) -> None:
        del key, fallback_keys
        if isinstance(settings.SECRET_KEY, Secret):
            raise ImproperlyConfigured(
                "SECRET_KEY must be text: Django would take the text "
                "<Secret ...> of a Secret for the key"
            )
        chosen: Any = getattr(settings, "SECRETMEM_SIGNING_KEY", None)
        old: Any = getattr(settings, "SECRETMEM_SIGNING_KEY_FALLBACKS", ())
        if not all(isinstance(one, Secret) for one in [chosen, *old]):
            raise ImproperlyConfigured(
                "SECRETMEM_SIGNING_KEY is a Secret, "
                "SECRETMEM_SIGNING_KEY_FALLBACKS a list of Secrets"
            )
        super().__init__(
            key=_COOKIES + chosen,
            fallback_keys=[_COOKIES + one for one in old],
            salt=salt,
        )


def dumps(
    obj: Any,  # noqa: ANN401 - what the serializer takes
    key: Secret,
    salt: str = "django.core.signing",
    serializer: Any = signing.JSONSerializer,  # noqa: ANN401 - Django's own
    *,
    compress: bool = False,
) -> str:
    """Do what ``django.core.signing.dumps`` does, with a Secret."""
    signer = TimestampSigner(key=key, salt=salt)
    return str(signer.sign_object(obj, serializer, compress))


def loads(
    s: str,
    key: Secret,
    salt: str = "django.core.signing",
    serializer: Any = signing.JSONSerializer,  # noqa: ANN401 - Django's own
    max_age: float | timedelta | None = None,
    fallback_keys: Iterable[Secret] = (),
) -> Any:  # noqa: ANN401 - what was dumped
    """
    Do what ``django.core.signing.loads`` does, with a Secret.

    Raises:
        django.core.signing.BadSignature: Damaged, or of another key.
        django.core.signing.SignatureExpired: Older than ``max_age`` seconds.
    """
    signer = TimestampSigner(key=key, salt=salt, fallback_keys=fallback_keys)
    return signer.unsign_object(s, serializer, max_age=max_age)
