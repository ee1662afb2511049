"""Operations on keys and tokens; see `operations`, which lists them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec

from secretmem import Secret, hazmat, keys
from secretmem.crypto import stream
from secretmem.crypto.aead import AESGCM
from secretmem.crypto.twofactor import TOTP


if TYPE_CHECKING:
    from collections.abc import Callable

_PEM = b"-----BEGIN KEY-----\nd29yZA==\n-----END KEY-----\n"


class Keys:
    """A key, its forms, and what encrypts it; made once, used always."""

    def __init__(self, word: Secret) -> None:
        self.word = word
        self.curve = keys.EllipticCurvePrivateKey.generate(ec.SECP256R1())
        self.public = self.curve.public_key()
        self.document = self.curve.jwk()
        self.form = self.curve.pkcs8()
        self.scrypt = keys.PassphraseEncryption(word)
        self.scrypt.cost = (16, 8, 1)
        bcrypt = keys.PassphraseEncryption(word, kdf="bcrypt", rounds=1)
        self.pem = Secret.from_bytes(_PEM)
        self.encrypted = [
            Secret.from_bytes(self._written(forms.PrivateFormat.PKCS8)),
            Secret.from_bytes(
                self.curve.private_bytes(
                    forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, bcrypt
                )
            ),
        ]
        self.cipher = AESGCM(word[:32])
        self.sealed = self.cipher.encrypt(bytes(12), word)
        self.totp = TOTP(word)
        self.stream = self._stream()
        self.all = (
            *(self.document, self.form, self.pem, self.cipher, self.curve),
            *self.encrypted,
        )

    def _written(self, how: forms.PrivateFormat) -> bytes:
        return self.curve.private_bytes(forms.Encoding.PEM, how, self.scrypt)

    def _stream(self) -> bytes:
        target = io.BytesIO()
        source = io.BytesIO(bytes(300))
        stream.encrypt(self.word, source, target, segment_size=128)
        return target.getvalue()

    def written(self) -> bool:
        """Encrypt the key anew."""
        return self._written(forms.PrivateFormat.PKCS8) != b""

    def loaded(self, text: Secret, words: Secret | None = None) -> bool:
        """Load and close."""
        with keys.load_pem(text, words) as key:
            made: Any = key.public_key()
            return bool(made == self.public)

    def jwk(self) -> int:
        """Write as JSON."""
        with self.curve.jwk() as document:
            return len(document)

    def opened(self) -> bytes:
        """Decrypt a stream."""
        target = io.BytesIO()
        source = io.BytesIO(self.stream)
        stream.decrypt(self.word, source, target, segment_size=128)
        return target.getvalue()

    def opened_to_secret(self) -> int:
        """Decrypt a stream into a secret."""
        source = io.BytesIO(self.stream)
        with stream.decrypt_to_secret(
            self.word, source, segment_size=128
        ) as made:
            return len(made)

    def uri(self) -> int:
        """Write the URI of an authenticator."""
        with self.totp.get_provisioning_uri("a", "b") as uri:
            return len(uri)

    def operations(self) -> dict[str, Callable[[], object]]:
        """Name them."""
        plain, openssh = self.encrypted
        return {
            "from_base32": lambda: _out(Secret.from_base32("O5XXEZA")),
            "from_pem": lambda: _out(Secret.from_pem(self.pem)),
            "JWK": lambda: self.loaded(self.document),
            "JWK, written": self.jwk,
            "PKCS8": lambda: self.loaded(self.form),
            "PKCS8, encrypted": lambda: self.loaded(plain, self.word),
            "PKCS8, written": self.written,
            "OpenSSH": lambda: self.loaded(openssh, self.word),
            "AEAD": lambda: _out(
                self.cipher.decrypt_to_secret(bytes(12), self.sealed)
            ),
            "stream": lambda: len(self._stream()),
            "stream, opened": self.opened,
            "stream, secret": self.opened_to_secret,
            "TOTP": lambda: self.totp.generate(59),
            "TOTP, verified": lambda: self.totp.verify(
                self.totp.generate(59), 59
            ),
            "TOTP, URI": self.uri,
        }


def _out(secret: Secret) -> bytes:
    with secret:
        return hazmat.export_bytes(secret)
