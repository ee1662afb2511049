"""
Flask's sessions with a Secret as their key.

::

    app.secret_key = Secret.from_credential("flask")
    app.session_interface = SessionInterface()

The cookies are those of Flask for the same key; it is used in secret memory.
Without the interface Flask raises TypeError when it meets a Secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.contrib._common import missing


try:
    from flask.sessions import SecureCookieSessionInterface
except ImportError as error:
    raise missing("flask", "Flask>=3.1") from error

from secretmem.contrib.itsdangerous import URLSafeTimedSerializer


if TYPE_CHECKING:
    from flask import Flask

__all__ = ("SessionInterface",)


class SessionInterface(SecureCookieSessionInterface):
    """
    For ``app.session_interface``.

    The key is ``SECRET_KEY``, old ones are in the list
    ``SECRET_KEY_FALLBACKS`` and verify only: Secrets, all of them.
    """

    def get_signing_serializer(
        self, app: Flask
    ) -> URLSafeTimedSerializer | None:
        """
        Give what signs the cookie, or None without a key.

        Raises:
            TypeError: A key is not a Secret.
        """
        if not app.secret_key:
            return None
        old = app.config.get("SECRET_KEY_FALLBACKS") or ()
        return URLSafeTimedSerializer(
            [*old, app.secret_key],  # type: ignore[list-item]  # Flask says str
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={
                "key_derivation": self.key_derivation,
                "digest_method": self.digest_method,
            },
        )
