"""
The client's side of SCRAM (RFC 5802, RFC 7677), computed in secret memory.

Needs no library.  It computes the proof and checks the server's signature;
the messages around them are the protocol's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret, _policy
from secretmem.contrib._common import check_secret
from secretmem.crypto.kdf import pbkdf2
from secretmem.crypto.mac import Hmac


if TYPE_CHECKING:
    from typing import Self

    from secretmem import _native
else:
    _native = _policy.bind()

__all__ = ("ClientKeys",)


class ClientKeys:
    """
    ClientKey and ServerKey of one password, salt and iteration count.

    Args:
        salted_password: SaltedPassword, the output of PBKDF2: as many bytes
            as the hash gives.  RFC 5802 lets a client keep it in place of
            the password.
        algorithm: ``"sha256"`` (SCRAM-SHA-256), ``"sha512"``, or ``"sha1"``
            for old servers.

    Raises:
        ValueError: Another length.
    """

    __slots__ = ("_algorithm", "_client", "_server")

    def __init__(
        self, salted_password: Secret, algorithm: str = "sha256"
    ) -> None:
        mac = Hmac(check_secret(salted_password), algorithm)
        if len(salted_password) != mac.digest_size:
            raise ValueError(
                f"SaltedPassword has {mac.digest_size} bytes, "
                f"not {len(salted_password)}"
            )
        self._algorithm = algorithm
        self._client = mac.digest_to_secret(b"Client Key")
        self._server = mac.digest_to_secret(b"Server Key")

    @classmethod
    def from_password(
        cls,
        password: Secret,
        *,
        salt: bytes,
        iterations: int,
        algorithm: str = "sha256",
    ) -> Self:
        """
        Derive the keys of a password by PBKDF2.

        Args:
            password: In UTF-8; one with characters beyond ASCII is first
                prepared as RFC 4013 says, which is not done here.
            salt: From the server's first message.
            iterations: From there too; RFC 7677 asks for 4096 or more.
            algorithm: As for the class.

        Raises:
            ValueError: No iterations, or no such algorithm.
        """
        size = Hmac(check_secret(password), algorithm).digest_size
        with pbkdf2(
            password,
            salt=salt,
            iterations=iterations,
            length=size,
            algorithm=algorithm,
        ) as salted_password:
            return cls(salted_password, algorithm)

    def proof(self, auth_message: bytes) -> bytes:
        """
        Return ClientProof, which the client sends in base64 as ``p=``.

        Args:
            auth_message: client-first-message-bare, server-first-message
                and client-final-message-without-proof, joined by commas.
        """
        return _native.scram_proof(self._algorithm, self._client, auth_message)

    def verify(self, auth_message: bytes, signature: bytes) -> None:
        """
        Check ServerSignature, which the server sends in base64 as ``v=``.

        Raises:
            InvalidSignature: The server does not know the password.
        """
        Hmac(self._server, self._algorithm).verify(auth_message, signature)

    def close(self) -> None:
        """Wipe both keys."""
        self._client.close()
        self._server.close()
