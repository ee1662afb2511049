"""
Credentials of AWS in secret memory, for botocore and boto3.

`install` gives a session its credentials and puts the signers of this module
into botocore: Signature Version 4 in headers, in URLs and in POST policies.
The older signatures, SigV4A and S3 Express sessions are not offered: they
refuse the credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from secretmem._shown import unless_unmade
from secretmem.contrib._common import check_secret, missing
from secretmem.contrib.aws import sign, signing_key


try:
    from botocore import auth, credentials
except ImportError as error:
    raise missing("botocore", "botocore>=1.44") from error

if TYPE_CHECKING:
    from botocore.session import Session

    from secretmem import Secret

__all__ = (
    "Credentials",
    "S3SigV4Auth",
    "S3SigV4PostAuth",
    "S3SigV4QueryAuth",
    "SecretKey",
    "SigV4Auth",
    "SigV4QueryAuth",
    "install",
    "register",
)


class SecretKey:
    """
    Holds the Secret where botocore expects text.

    A signer that does not know it raises TypeError, where a Secret's own
    text, ``<Secret ...>``, would be taken for the key.
    """

    __slots__ = ("secret",)

    def __init__(self, secret: Secret) -> None:
        self.secret = check_secret(secret)

    def encode(self, *_arguments: object) -> NoReturn:
        """Refuse, as `__str__` does."""
        str(self)
        raise AssertionError  # str has raised

    def __str__(self) -> str:
        raise TypeError(
            "this signer of botocore does not know keys in secret memory: "
            "secretmem.contrib.botocore.register() replaces those for "
            "Signature Version 4, others are not offered"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    @unless_unmade
    def __repr__(self) -> str:
        return f"<SecretKey {self.secret!r}>"


class Credentials(credentials.Credentials):  # type: ignore[misc]  # botocore has no types
    """
    Credentials whose secret access key is a Secret.

    Args:
        access_key: The access key's id; not secret.
        secret_key: The secret access key.
        token: The session token of temporary credentials.  It is sent with
            each request, in ordinary memory.
    """

    def __init__(
        self,
        access_key: str,
        secret_key: Secret,
        token: str | None = None,
        method: str | None = "secretmem",
        account_id: str | None = None,
    ) -> None:
        key = SecretKey(secret_key)
        super().__init__(access_key, key, token, method, account_id)

    def _normalize(self) -> None:
        """Leave the keys as they are; botocore makes them ``str`` here."""


class _Provider(credentials.CredentialProvider):  # type: ignore[misc]  # as above
    METHOD = "secretmem"

    def __init__(self, found: Credentials) -> None:
        super().__init__()
        self._found = found

    def load(self) -> Credentials:
        return self._found


class _SecretSignature:
    """Signs inside if the key is ours, else as botocore does."""

    credentials: Any
    _region_name: str
    _service_name: str

    def signature(self, string_to_sign: str, request: Any) -> str:  # noqa: ANN401 - botocore's own
        """Return the signature in hexadecimal."""
        key = self.credentials.secret_key
        if not isinstance(key, SecretKey):
            return super().signature(string_to_sign, request)  # type: ignore[misc,no-any-return]  # of botocore's class
        date = request.context["timestamp"][:8]
        with signing_key(
            key.secret, date, self._region_name, self._service_name
        ) as derived:
            return sign(derived, string_to_sign)


class SigV4Auth(_SecretSignature, auth.SigV4Auth):  # type: ignore[misc]  # as above
    """Signature Version 4 in the header Authorization."""


class SigV4QueryAuth(_SecretSignature, auth.SigV4QueryAuth):  # type: ignore[misc]  # as above
    """Signature Version 4 in the URL."""


class S3SigV4Auth(_SecretSignature, auth.S3SigV4Auth):  # type: ignore[misc]  # as above
    """As `SigV4Auth`, with S3's rules."""


class S3SigV4QueryAuth(_SecretSignature, auth.S3SigV4QueryAuth):  # type: ignore[misc]  # as above
    """As `SigV4QueryAuth`, with S3's rules: presigned URLs."""


class S3SigV4PostAuth(_SecretSignature, auth.S3SigV4PostAuth):  # type: ignore[misc]  # as above
    """Presigned POST policies of S3."""


_SIGNERS = {
    "v4": SigV4Auth,
    "v4-query": SigV4QueryAuth,
    "s3v4": S3SigV4Auth,
    "s3v4-query": S3SigV4QueryAuth,
    "s3v4-presign-post": S3SigV4PostAuth,
}


def register() -> None:
    """
    Put the signers of this module into botocore, for all sessions.

    Credentials in ordinary memory go on working with them.
    """
    auth.AUTH_TYPE_MAPS.update(_SIGNERS)


def install(session: Session, found: Credentials) -> None:
    """
    Let a session use these credentials and no others, and `register`.

    Args:
        session: A botocore session; of boto3, ``session._session``.
        found: The credentials.
    """
    register()
    resolver = credentials.CredentialResolver([_Provider(found)])
    session.register_component("credential_provider", resolver)
