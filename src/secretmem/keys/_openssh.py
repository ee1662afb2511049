"""
OpenSSH private key files, encrypted (PROTOCOL.key of OpenSSH).

The private section is put together of Secrets and encrypted in secret
memory; what is around it is public.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretmem import Secret, _policy


if TYPE_CHECKING:
    from typing import Any

    from secretmem import _native
else:
    _native = _policy.bind()

_MAGIC = b"openssh-key-v1\0"
_BLOCK = 16
_SALT = 16
_LINE = 70
_RSA = ("d", "qi", "p", "q")


class Numbers(Protocol):
    """Gives a private number: an ``mpint``, or the seed of Ed25519."""

    def __call__(self, name: str, *, mpint: bool) -> Secret:
        """Give one by its name in a JWK."""


def encrypted(
    public: Any,  # noqa: ANN401 - three classes of pyca's
    number: Numbers,
    passphrase: Secret,
    rounds: int,
) -> bytes:
    """Return the file: aes256-ctr, the key by bcrypt."""
    line = public.public_bytes(
        forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    )
    blob = base64.b64decode(line.split()[1])
    salt = os.urandom(_SALT)
    with _section(public, number, line.split()[0]) as section:
        sealed = _native.ssh_encrypt(section, passphrase, rounds, salt)
    body = b"".join(
        [
            _MAGIC,
            _string(b"aes256-ctr"),
            _string(b"bcrypt"),
            _string(_string(salt) + rounds.to_bytes(4)),
            (1).to_bytes(4),
            _string(blob),
            _string(sealed),
        ]
    )
    text = base64.b64encode(body)
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    begin, end = (
        f"-----{word} OPENSSH PRIVATE KEY-----".encode()
        for word in ("BEGIN", "END")
    )
    return b"\n".join([begin, *lines, end, b""])


def _section(public: Any, number: Numbers, kind: bytes) -> Secret:  # noqa: ANN401 - as above
    """Put together what is encrypted, with its padding and no comment."""
    check = os.urandom(4)
    made = Secret.from_bytes(check + check + _string(kind))
    for part in _parts(public, number):
        with made, part:
            made = made + part
    with made:
        size = len(made) + 4
        padding = bytes(range(1, -size % _BLOCK + 1))
        return made + (_string(b"") + padding)


def _parts(public: Any, number: Numbers) -> list[Secret]:  # noqa: ANN401 - as above
    plain = Secret.from_bytes
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        start = _mpint(numbers.n) + _mpint(numbers.e)
        private = [number(name, mpint=True) for name in _RSA]
        return [plain(start), *private]
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_bytes(
            forms.Encoding.X962, forms.PublicFormat.UncompressedPoint
        )
        name = f"nistp{public.key_size}".encode()
        start = _string(name) + _string(point)
        return [plain(start), number("d", mpint=True)]
    raw = public.public_bytes_raw()
    # The seed and the public key once more are one string.
    start = _string(raw) + (2 * len(raw)).to_bytes(4)
    return [plain(start), number("d", mpint=False), plain(raw)]


def _string(data: bytes) -> bytes:
    """Put the length in front (RFC 4251, section 5)."""
    return len(data).to_bytes(4) + data


def _mpint(number: int) -> bytes:
    """Write a number above zero, with room for a sign (the same)."""
    return _string(number.to_bytes(number.bit_length() // 8 + 1))
