"""The forms in which a private key may leave: encrypted, or as a Secret."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

from secretmem import Secret, _policy
from secretmem.keys import _openssh as _file


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from secretmem import _native
    from secretmem.keys._base import PrivateKey
else:
    _native = _policy.bind()

SALT_SIZE = 16
# OWASP's password storage cheat sheet: what a guess is to cost.  N stays at
# 2**14, since OpenSSL reads no file that needs more than 32 MiB.
SCRYPT = (1 << 14, 8, 5)
PBKDF2 = 600_000
# What ssh-keygen takes since OpenSSH 9.4.
BCRYPT = 24

_LINE = 64
_LABEL = "ENCRYPTED PRIVATE KEY"
# Private members of an RSA key (RFC 7518, section 6.3.2).
_RSA = ("d", "p", "q", "dp", "dq", "qi")
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class PassphraseEncryption(forms.KeySerializationEncryption):
    """
    Encryption under a passphrase that is a Secret.

    For ``private_bytes``.  PKCS8 is encrypted by PBES2 (RFC 8018) with
    AES-256-CBC, OpenSSH's format by aes256-ctr.

    Args:
        passphrase: Not empty.
        kdf: Of PKCS8 ``"scrypt"`` (N = 2**14, r = 8, p = 5), which OpenSSL
            and ``cryptography`` read, or ``"pbkdf2"`` with HMAC-SHA-256,
            which everything reads; of OpenSSH ``"bcrypt"``.  None takes the
            first one of the format.
        rounds: Of PBKDF2, 600,000 unless told otherwise, or of bcrypt, 24.

    Raises:
        TypeError: The passphrase is not a Secret.
        ValueError: It is empty, or there is no such derivation.
    """

    def __init__(
        self,
        passphrase: Secret,
        *,
        kdf: str | None = None,
        rounds: int | None = None,
    ) -> None:
        if not isinstance(passphrase, Secret):
            raise TypeError(
                f"the passphrase is a Secret, not {type(passphrase).__name__}"
            )
        if not len(passphrase):
            raise ValueError("the passphrase is empty")
        if kdf not in (None, "scrypt", "pbkdf2", "bcrypt"):
            raise ValueError(
                f"kdf is 'scrypt', 'pbkdf2' or 'bcrypt', not {kdf!r}"
            )
        if rounds is not None and (kdf in (None, "scrypt") or rounds < 1):
            raise ValueError(
                "rounds, 1 or more, go with kdf='pbkdf2' or kdf='bcrypt'"
            )
        self.passphrase = passphrase
        self.kdf = kdf
        self.rounds = rounds
        self.cost = SCRYPT

    def encrypt(self, form: Secret) -> bytes:
        """
        Return EncryptedPrivateKeyInfo, DER, of a PKCS#8 form.

        Raises:
            UnsupportedAlgorithm: The derivation is OpenSSH's.
        """
        if self.kdf == "bcrypt":
            raise UnsupportedAlgorithm("PKCS8 has scrypt and pbkdf2")
        kdf, cost = self.kdf or "scrypt", self.cost
        if kdf == "pbkdf2":
            cost = (self.rounds or PBKDF2, 0, 0)
        salt, iv = os.urandom(SALT_SIZE), os.urandom(SALT_SIZE)
        return _native.pkcs8_encrypt(
            kdf, form, self.passphrase, cost, salt, iv
        )


def encrypted(
    key: PrivateKey,
    encoding: forms.Encoding,
    private_format: forms.PrivateFormat,
    encryption: forms.KeySerializationEncryption,
) -> bytes:
    """Do what ``private_bytes`` says."""
    if isinstance(encryption, forms.NoEncryption):
        raise TypeError(
            "a private key does not leave secret memory without encryption; "
            "secretmem.hazmat.export_bytes(key.pkcs8()) makes a copy in "
            "ordinary memory"
        )
    if encoding not in (forms.Encoding.PEM, forms.Encoding.DER):
        raise UnsupportedAlgorithm("the encoding is PEM or DER")
    if private_format not in (
        forms.PrivateFormat.PKCS8,
        forms.PrivateFormat.OpenSSH,
    ):
        raise UnsupportedAlgorithm("the format is PKCS8 or OpenSSH")
    openssh = private_format is forms.PrivateFormat.OpenSSH
    if isinstance(encryption, forms.BestAvailableEncryption):
        with Secret.from_bytes(encryption.password) as passphrase:
            kdf = "bcrypt" if openssh else "pbkdf2"
            ours = PassphraseEncryption(passphrase, kdf=kdf)
            return encrypted(key, encoding, private_format, ours)
    if not isinstance(encryption, PassphraseEncryption):
        raise TypeError(
            "the encryption is a PassphraseEncryption of secretmem.keys, or "
            f"BestAvailableEncryption, not {type(encryption).__name__}"
        )
    if openssh:
        return _openssh(key, encoding, encryption)
    with key.pkcs8() as plain:
        return _encoded(encryption.encrypt(plain), encoding)


def _openssh(
    key: Any,  # noqa: ANN401 - PrivateKey has no public_key of its own
    encoding: forms.Encoding,
    encryption: PassphraseEncryption,
) -> bytes:
    public = key.public_key()
    if encoding is not forms.Encoding.PEM:
        raise UnsupportedAlgorithm("the encoding of OpenSSH's format is PEM")
    if isinstance(public, x25519.X25519PublicKey):
        raise UnsupportedAlgorithm("OpenSSH has no X25519 keys")
    if encryption.kdf not in (None, "bcrypt"):
        raise UnsupportedAlgorithm("OpenSSH's format has bcrypt")
    return _file.encrypted(
        public,
        key._number,  # noqa: SLF001 - of this package
        encryption.passphrase,
        encryption.rounds or BCRYPT,
    )


def _encoded(der: bytes, encoding: forms.Encoding) -> bytes:
    if encoding is forms.Encoding.DER:
        return der
    text = base64.b64encode(der)
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    return b"\n".join(
        [
            f"-----BEGIN {_LABEL}-----".encode(),
            *lines,
            f"-----END {_LABEL}-----".encode(),
            b"",
        ]
    )


def jwk(public: Any, number: Callable[[str], Secret]) -> Secret:  # noqa: ANN401 - four classes
    """Put public members and private numbers together as a JWK."""
    names: tuple[str, ...] = ("d",)
    if isinstance(public, rsa.RSAPublicKey):
        names = _RSA
        members = _public_rsa(public.public_numbers())
    elif isinstance(public, ec.EllipticCurvePublicKey):
        members = _public_point(public)
    else:
        kind = type(public).__name__.removesuffix("PublicKey")
        x = _text(public.public_bytes_raw())
        members = {"kty": "OKP", "crv": kind, "x": x}
    start = ",".join(f'"{name}":"{value}"' for name, value in members.items())
    made = Secret.from_bytes(f"{{{start}".encode())
    for name in names:
        made = _with_member(made, name, number(name))
    with made:
        return made + b"}"


def _with_member(made: Secret, name: str, number: Secret) -> Secret:
    with (
        made,
        number,
        number._encode("base64url") as text,  # noqa: SLF001 - of this package
        f',"{name}":"'.encode() + text as member,
        member + b'"' as whole,
    ):
        return made + whole


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _integer(number: int, size: int | None = None) -> str:
    return _text(number.to_bytes(size or (number.bit_length() + 7) // 8))


def _public_rsa(numbers: rsa.RSAPublicNumbers) -> dict[str, str]:
    return {"kty": "RSA", "n": _integer(numbers.n), "e": _integer(numbers.e)}


def _public_point(public: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers, size = public.public_numbers(), (public.key_size + 7) // 8
    return {
        "kty": "EC",
        "crv": _CURVES[public.curve.name],
        "x": _integer(numbers.x, size),
        "y": _integer(numbers.y, size),
    }
