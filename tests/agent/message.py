"""Messages of the agent protocol, built from keys in ordinary memory."""

from __future__ import annotations

from typing import TypeAlias

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from secretmem.agent.wire import mpint, string, strings, u32


PrivateKey: TypeAlias = (
    ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
)

ADD, ADD_CONSTRAINED, SIGN, REMOVE, REMOVE_ALL = 17, 25, 13, 18, 19
LOCK, UNLOCK, EXTENSION, LIST = 22, 23, 27, 11
FAILURE, SUCCESS, IDENTITIES, SIGNATURE = b"\5", b"\6", 12, 14
EXTENSION_FAILURE, EXTENSION_RESPONSE = b"\34", 29


def number(value: int) -> bytes:
    """Encode a number as an mpint."""
    return mpint(value.to_bytes((value.bit_length() + 7) // 8))


def fields(key: PrivateKey) -> bytes:
    """Encode a private key as an add message has it, its type in front."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public = key.public_key().public_bytes_raw()
        pair = key.private_bytes_raw() + public
        return strings(b"ssh-ed25519", public, pair)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        curve = f"nistp{key.key_size}".encode()
        point = key.public_key().public_bytes(
            forms.Encoding.X962, forms.PublicFormat.UncompressedPoint
        )
        scalar = number(key.private_numbers().private_value)
        return strings(b"ecdsa-sha2-" + curve, curve, point) + scalar
    numbers = key.private_numbers()
    public_numbers = numbers.public_numbers
    parts = (
        public_numbers.n,
        public_numbers.e,
        numbers.d,
        numbers.iqmp,
        numbers.p,
        numbers.q,
    )
    return string(b"ssh-rsa") + b"".join(number(part) for part in parts)


def blob(key: PrivateKey) -> bytes:
    """Encode the public key."""
    import base64

    line = key.public_key().public_bytes(
        forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    )
    return base64.b64decode(line.split()[1])


def add(
    key: PrivateKey, comment: bytes = b"test", constraints: bytes | None = None
) -> bytes:
    """Build an add message, constrained if constraints are given."""
    kind = ADD if constraints is None else ADD_CONSTRAINED
    body = fields(key) + string(comment)
    return bytes([kind]) + body + (constraints or b"")


def sign(key: PrivateKey, data: bytes = b"data", flags: int = 4) -> bytes:
    """Build a sign request."""
    return bytes([SIGN]) + strings(blob(key), data) + u32(flags)


def remove(key: PrivateKey) -> bytes:
    """Build a remove message."""
    return bytes([REMOVE]) + string(blob(key))


def lock(passphrase: bytes) -> bytes:
    """Build a lock message."""
    return bytes([LOCK]) + string(passphrase)


def unlock(passphrase: bytes) -> bytes:
    """Build an unlock message."""
    return bytes([UNLOCK]) + string(passphrase)


def frame(message: bytes) -> bytes:
    """Put the length in front."""
    return string(message)
