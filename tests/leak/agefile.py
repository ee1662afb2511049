"""
age files by ``cryptography``: what is derived on the way, and the control.

Independent of `secretmem.age`: an identity is read as Python reads text, and
a file is opened by HKDF, X25519 and ChaCha20-Poly1305 of ``cryptography``.
"""

from __future__ import annotations

import base64
import hmac
from typing import Any, Self

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from leak.ordinary import Ordinary


_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_INFO = b"age-encryption.org/v1/X25519"
_CHECKSUM = 6


def groups_of_five(seed: bytes) -> bytes:
    """Cut 32 bytes into the 52 numbers that Bech32 has letters for."""
    number = int.from_bytes(seed, "big") << 4
    return bytes(number >> shift & 31 for shift in range(255, -1, -5))


def seed_of(text: bytes) -> bytes:
    """Read the text of an identity; its checksum is not looked at."""
    (line,) = (w for w in text.decode().splitlines() if w[:1] != "#")
    letters = line.lower().rpartition("1")[2][:-_CHECKSUM]
    number = 0
    for letter in letters:
        number = number << 5 | _CHARACTERS.index(letter)
    return (number >> 4).to_bytes(32, "big")


def _hkdf(ikm: bytes, salt: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Give the pseudorandom key, and 32 bytes of output (RFC 5869)."""
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    return prk, hmac.digest(prk, info + b"\1", "sha256")


def _unpadded(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def derived(seed: bytes, file: bytes) -> dict[str, bytes]:
    """Give all keys on the way to a short payload, and the payload."""
    _, first, body, rest = file.split(b"\n", 3)
    footer, _, payload = rest.partition(b"\n")
    assert footer.startswith(b"--- "), "one recipient"
    key = x25519.X25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(
        forms.Encoding.Raw, forms.PublicFormat.Raw
    )
    share = _unpadded(first.split()[2])
    shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(share))
    prk, wrapping = _hkdf(shared, share + public, _INFO)
    file_key = ChaCha20Poly1305(wrapping).decrypt(
        bytes(12), _unpadded(body), None
    )
    mac_prk, mac_key = _hkdf(file_key, b"", b"header")
    payload_prk, payload_key = _hkdf(file_key, payload[:16], b"payload")
    last = bytes(11) + b"\1"
    message = ChaCha20Poly1305(payload_key).decrypt(last, payload[16:], None)
    return {
        "shared secret": shared,
        "wrapping key, extracted": prk,
        "wrapping key": wrapping,
        "file key": file_key,
        "key of the MAC, extracted": mac_prk,
        "key of the MAC": mac_key,
        "key of the payload, extracted": payload_prk,
        "key of the payload": payload_key,
        "text of the message": message,
    }


class Identity:
    """The control's identity."""

    def __init__(self, seed: bytes) -> None:
        self.seed: bytes | None = seed

    @classmethod
    def from_secret(cls, text: Ordinary) -> Self:
        """Read the text."""
        return cls(seed_of(text._bytes()))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self.seed is None

    def close(self) -> None:
        """Drop it."""
        self.seed = None


def decrypt(file: bytes, identities: list[Any]) -> Ordinary:
    """Open a file."""
    (identity,) = identities
    return Ordinary(derived(identity.seed, file)["text of the message"])
