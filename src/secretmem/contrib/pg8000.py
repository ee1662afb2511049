"""
Connections to PostgreSQL by pg8000, whose password stays in secret memory.

The driver is Python and lets its proof of SCRAM-SHA-256 (RFC 7677) be made by
somebody else, so the password is not exported: the proof is computed in
secret memory.  A server that asks for the password itself, or for its MD5,
is refused.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from secretmem.contrib._common import held, missing
from secretmem.contrib.scram import ClientKeys
from secretmem.crypto.errors import InvalidSignature


try:
    import pg8000.dbapi
    import pg8000.exceptions
except ImportError as error:
    raise missing("pg8000", "pg8000>=1.31") from error

if TYPE_CHECKING:
    from secretmem import Secret
    from secretmem.sources import Watch

__all__ = ("Connection", "connect")

# AuthenticationCleartextPassword and AuthenticationMD5Password, and
# AuthenticationSASL (PostgreSQL's manual, "Message Formats").
_PLAIN, _MD5, _SASL = 3, 5, 10


class _Placeholder:
    """Stands where the driver takes the text of a password from."""

    def decode(self, *_encoding: str) -> str:
        """Give the text that the driver's own proof, unused, is made of."""
        return "not the password"


class _Client:
    """The driver's SCRAM client, but for what needs the password."""

    def __init__(self, client: Any, password: Secret | Watch) -> None:  # noqa: ANN401 - comes without types
        self._client = client
        self._password = password

    def set_server_first(self, message: str) -> None:
        """Take nonce, salt and iterations."""
        self._client.set_server_first(message)

    def get_client_final(self) -> str:
        """Give the last message with the proof, computed inside."""
        client = self._client
        without_proof = client.get_client_final().rpartition(",p=")[0]
        parts = (client.client_first_bare, client.server_first, without_proof)
        self._message = ",".join(map(str, parts)).encode()
        with held(self._password) as secret:
            self._keys = ClientKeys.from_password(
                secret,
                salt=bytes(client.salt),
                iterations=int(client.iterations),
            )
        proof = base64.b64encode(self._keys.proof(self._message)).decode()
        return f"{without_proof},p={proof}"

    def set_server_final(self, message: str) -> None:
        """Check that the server knows the password, too."""
        # "v=" and the signature, or "e=" and a word that is no base64.
        value = message.removeprefix("v=")
        try:
            self._keys.verify(self._message, base64.b64decode(value))
        except (ValueError, InvalidSignature):
            raise pg8000.exceptions.InterfaceError(
                "the server did not show that it knows the password"
            ) from None
        finally:
            self._keys.close()


class Connection(pg8000.dbapi.Connection):  # type: ignore[misc]  # comes without types
    """
    pg8000's connection (DB-API 2.0).

    Args:
        user: Of the database.
        password: A Secret, or a followed source, whose value of now is used.
            In UTF-8; one with characters beyond ASCII is first prepared as
            RFC 4013 says, which is not done here.
        **options: The driver's own.

    Raises:
        pg8000.exceptions.InterfaceError: The server wants another way.
        pg8000.exceptions.DatabaseError: For example a wrong password.
    """

    def __init__(
        self,
        user: str,
        *,
        password: Secret | Watch,
        **options: Any,  # noqa: ANN401 - the driver's own
    ) -> None:
        with held(password):
            pass
        self._secret = password
        super().__init__(user, password=_Placeholder(), **options)

    def handle_AUTHENTICATION_REQUEST(  # noqa: N802 - the driver's name
        self,
        data: bytes,
        context: Any,  # noqa: ANN401 - the driver's own
    ) -> None:
        """Answer the server."""
        asked = int.from_bytes(data[:4], "big")
        if asked in (_PLAIN, _MD5):
            raise pg8000.exceptions.InterfaceError(
                "the server asks for the password or its MD5; it is shown "
                "to servers with SCRAM-SHA-256 only (password_encryption)"
            )
        super().handle_AUTHENTICATION_REQUEST(data, context)
        if asked == _SASL:
            client = vars(self)["auth"]
            self.auth = _Client(client, self._secret)


connect = Connection
