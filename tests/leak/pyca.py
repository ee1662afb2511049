"""
The control for cryptography: what `secretmem` offers, by ``cryptography``.

The keys and ciphers that people use today, under the names of ours. The
scanner must find what it looks for in every program that runs with them.
"""

# ruff: noqa: ANN401 - takes whatever secretmem takes

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cryptography import fernet as pyca_fernet
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf as pyca_hkdf
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from leak.ordinary import Ordinary


_HASHES: dict[str, Any] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class _Held:
    """An object of cryptography's, with an end."""

    def __init__(self, held: Any) -> None:
        self._held = held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def close(self) -> None:
        """Drop it."""
        self._held = None


class Key(_Held):
    """A private key."""

    def exchange(self, *arguments: Any) -> Ordinary:
        """Return the shared secret."""
        return Ordinary(self._held.exchange(*arguments))

    def decrypt_to_secret(self, sealed: bytes, padding: Any) -> Ordinary:
        """Decrypt by OAEP."""
        return Ordinary(self._held.decrypt(sealed, padding))


def load_pem(encoded: Ordinary, passphrase: Ordinary | None = None) -> Key:
    """Load PEM."""
    words = None if passphrase is None else passphrase._bytes()
    return Key(load_pem_private_key(encoded._bytes(), words))


def load_der(encoded: Ordinary, passphrase: Ordinary | None = None) -> Key:
    """Load DER."""
    words = None if passphrase is None else passphrase._bytes()
    return Key(load_der_private_key(encoded._bytes(), words))


class _Cipher(_Held):
    made: Any

    def __init__(self, key: Ordinary) -> None:
        super().__init__(self.made(key._bytes()))

    def encrypt(self, nonce: bytes, message: Any, aad: bytes | None) -> bytes:
        """Seal bytes or an Ordinary."""
        if isinstance(message, Ordinary):
            message = message._bytes()
        sealed: bytes = self._held.encrypt(nonce, message, aad)
        return sealed

    def encrypt_into(
        self, nonce: bytes, message: Any, aad: bytes | None, buffer: Any
    ) -> int:
        """Seal into a buffer."""
        buffer[:] = self.encrypt(nonce, message, aad)
        return len(buffer)

    def decrypt_to_secret(self, *arguments: Any) -> Ordinary:
        """Open."""
        return Ordinary(self._held.decrypt(*arguments))

    def decrypt_into(
        self, nonce: bytes, sealed: bytes, aad: bytes | None, buffer: Any
    ) -> int:
        """Open into a buffer."""
        buffer[:] = self._held.decrypt(nonce, sealed, aad)
        return len(buffer)


class AESGCM(_Cipher):
    """AES-GCM."""

    made = aead.AESGCM


class AESGCMSIV(_Cipher):
    """AES-GCM-SIV."""

    made = aead.AESGCMSIV


class ChaCha20Poly1305(_Cipher):
    """ChaCha20-Poly1305."""

    made = aead.ChaCha20Poly1305


class Hmac:
    """HMAC."""

    def __init__(self, key: Ordinary, algorithm: str = "sha256") -> None:
        self._key = key
        self._hash = _HASHES[algorithm]
        self.digest_size = self._hash.digest_size

    def digest(self, message: bytes) -> bytes:
        """Return the MAC."""
        made = hmac.HMAC(self._key._bytes(), self._hash)
        made.update(message)
        return made.finalize()

    def verify(self, message: bytes, mac: bytes) -> None:
        """Compare."""
        made = hmac.HMAC(self._key._bytes(), self._hash)
        made.update(message)
        made.verify(mac)


def hkdf(
    secret: Ordinary,
    length: int,
    *,
    salt: bytes = b"",
    info: bytes = b"",
    algorithm: str = "sha256",
) -> Ordinary:
    """Derive."""
    made = pyca_hkdf.HKDF(_HASHES[algorithm], length, salt, info)
    return Ordinary(made.derive(secret._bytes()))


class Fernet(_Held):
    """Fernet."""

    def __init__(self, key: Ordinary) -> None:
        super().__init__(pyca_fernet.Fernet(key._bytes()))

    def decrypt_to_secret(self, token: bytes) -> Ordinary:
        """Open."""
        return Ordinary(self._held.decrypt(token))


class MultiFernet(_Held):
    """Several keys."""

    def __init__(self, fernets: Any) -> None:
        super().__init__(pyca_fernet.MultiFernet([f._held for f in fernets]))

    def decrypt_to_secret(self, token: bytes) -> Ordinary:
        """Open."""
        return Ordinary(self._held.decrypt(token))


keys = SimpleNamespace(load_pem=load_pem, load_der=load_der)
crypto = SimpleNamespace(Hmac=Hmac, hkdf=hkdf)
