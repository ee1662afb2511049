"""
The classes of local keys, for keys that stay in the agent.

What they are asked for goes to the agent and comes back; the data does so
through ordinary memory there, the key never leaves it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, NoReturn

from secretmem.agent import named
from secretmem.agent.errors import AgentRefusedError
from secretmem.crypto import Hmac, aead
from secretmem.crypto.errors import InvalidSignature, InvalidTag
from secretmem.exceptions import InvalidKey
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    RSAPrivateKey,
)


if TYPE_CHECKING:
    from typing_extensions import Buffer

    from secretmem import Secret
    from secretmem.agent.client import Client


def _bytes(data: Buffer) -> bytes:
    """Copy data; an integer is none, but bytes() would make zeros of it."""
    return memoryview(data).tobytes()


class RemoteCipher:
    """The methods of a cipher, done by the agent; mixed into its class."""

    NONCE_SIZE: int

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name

    def encrypt(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None = None,
    ) -> bytes:
        """Encrypt as the local class does; ``data`` is no Secret."""
        parts = self._parts(nonce, data, associated_data)
        return self._client.extension("seal", *parts)

    def encrypt_into(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None,
        buffer: Buffer,
    ) -> int:
        """
        Encrypt, and copy what comes into ``buffer``.

        Raises:
            ValueError: The buffer has another length.
        """
        sealed = self.encrypt(nonce, data, associated_data)
        with memoryview(buffer) as whole, whole.cast("B") as view:
            view[:] = sealed
        return len(sealed)

    def decrypt(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None = None,
    ) -> bytes:
        """
        Decrypt into ordinary memory.

        Raises:
            InvalidTag: It does not fit.
        """
        parts = self._parts(nonce, data, associated_data)
        try:
            return self._client.extension("open", *parts)
        except AgentRefusedError as error:
            raise InvalidTag(str(error)) from None

    def decrypt_to_secret(
        self,
        nonce: bytes,
        data: Buffer,
        associated_data: bytes | None = None,
    ) -> Secret:
        """
        Decrypt into a new Secret, from secret memory to secret memory.

        Raises:
            InvalidTag: It does not fit.
        """
        parts = self._parts(nonce, data, associated_data)
        try:
            return self._client.extension_to_secret("open", *parts)
        except AgentRefusedError as error:
            raise InvalidTag(str(error)) from None

    def _parts(
        self, nonce: bytes, data: Buffer, aad: bytes | None
    ) -> tuple[str, bytes, bytes, bytes]:
        if len(nonce) != self.NONCE_SIZE:
            raise InvalidKey(
                f"the nonce has {self.NONCE_SIZE} bytes, not {len(nonce)}"
            )
        return self._name, nonce, aad or b"", _bytes(data)

    def decrypt_into(self, *_args: object) -> NoReturn:
        """Refuse: it would lie in ordinary memory on its way."""
        raise TypeError("a key in the agent has no decrypt_into")

    def close(self) -> None:
        """Do nothing: the key is the agent's."""


def cipher(client: Client, name: str, purpose: str) -> RemoteCipher:
    """
    Return a cipher of the local class for that purpose.

    Raises:
        AgentRefusedError: The secret is for another purpose.
    """
    local = named.CIPHERS.get(purpose)
    if local is None:
        raise AgentRefusedError(f"the secret {name!r} is no cipher's key")
    return _CIPHERS[local](client, name)


_CIPHERS: dict[type[aead._Aead], type[RemoteCipher]] = {
    local: type(f"Remote{local.__name__}", (RemoteCipher, local), {})
    for local in named.CIPHERS.values()
}


class RemoteHmac(Hmac):
    """An Hmac, done by the agent."""

    __slots__ = ("_client", "_name")

    def __init__(self, client: Client, name: str, purpose: str) -> None:
        algorithm = named.MACS.get(purpose)
        if algorithm is None:
            raise AgentRefusedError(f"the secret {name!r} is no MAC's key")
        self._algorithm = algorithm
        self._client = client
        self._name = name

    def digest(self, message: Buffer) -> bytes:
        """Return the MAC of ``message``."""
        return self._client.extension("mac", self._name, _bytes(message))

    def digest_to_secret(self, *_args: object, **_options: object) -> NoReturn:
        """Refuse: it would lie in ordinary memory on its way."""
        raise TypeError("a key in the agent has no digest_to_secret")

    def verify(self, message: Buffer, mac: Buffer) -> None:
        """
        Compare in constant time, here.

        Raises:
            InvalidSignature: ``mac`` is not the MAC of ``message``.
        """
        if not hmac.compare_digest(self.digest(message), _bytes(mac)):
            raise InvalidSignature("the MAC does not fit the message")


class _RemoteKey:
    """What the classes of private keys need of the compiled module's."""

    closed = False

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        fields = client._extension_fields("public", name)  # noqa: SLF001 - the package's own
        self.kind = fields.string().decode("ascii")
        self.bits = fields.u32()
        self._public = fields.string()

    def public(self) -> bytes:
        return self._public

    def sign(self, data: Buffer) -> bytes:
        return self._signed("ed25519", data)

    def sign_ecdsa(self, digest: bytes) -> bytes:
        return self._signed("ecdsa", digest)

    def sign_pkcs1(self, algorithm: str, digest: bytes) -> bytes:
        return self._signed(f"pkcs1 {algorithm}", digest)

    def sign_pss(
        self, algorithm: str, mgf1: str, salt_len: int, digest: bytes
    ) -> bytes:
        return self._signed(f"pss {algorithm} {mgf1} {salt_len}", digest)

    def _signed(self, scheme: str, data: Buffer) -> bytes:
        return self._client.extension("sign", self._name, scheme, _bytes(data))

    def close(self) -> None:
        """Do nothing: the key is the agent's."""

    def __getattr__(self, name: str) -> NoReturn:
        raise TypeError(f"a private key in the agent has no {name}")


def private_key(
    client: Client, name: str
) -> Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey:
    """Return a private key of the local class."""
    key: Any = _RemoteKey(client, name)
    if key.kind == "ed25519":
        return Ed25519PrivateKey._of(key)  # noqa: SLF001 - the package's own
    if key.kind == "rsa":
        return RSAPrivateKey._of(key)  # noqa: SLF001 - as above
    return EllipticCurvePrivateKey._of(key)  # noqa: SLF001 - as above
