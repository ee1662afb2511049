"""Why a private key cannot be read, as far as its public marks tell."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from secretmem import Secret, _policy
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from secretmem import _native
else:
    _native = _policy.bind()

# What the native part says of all of them (rust/core/src/crypto/pkey.rs).
_UNREADABLE = "the private key cannot be read"

_KINDS = (
    "it is damaged, or of a kind that is not used here: Ed25519, X25519, "
    "ECDSA on P-256, P-384 and P-521, RSA of 2048 to 8192 bits, ML-DSA and "
    "ML-KEM are, in PEM, DER, OpenSSH's format or a JSON Web Key"
)

_BEGIN = b"-----BEGIN "
_OPENSSH = _BEGIN + b"OPENSSH PRIVATE KEY-----"
# How such a file goes on (PROTOCOL.key): in base64, as much as its public
# beginning decides.
_MAGIC = base64.b64encode(b"openssh-key-v1")[:18]
_PLAIN = base64.b64encode(b"openssh-key-v1\0\0\0\0\4none\0")
_ENCRYPTED = _BEGIN + b"ENCRYPTED PRIVATE KEY-----"
# RFC 1421, section 4.6.1.1, behind the label.
_PROC_TYPE = b"Proc-Type: 4,ENCRYPTED"
_TRADITIONAL = tuple(
    _BEGIN + kind + b"PRIVATE KEY-----"
    for kind in (b"RSA ", b"EC ", b"DSA ", b"")
)
_PUBLIC = (
    *(_BEGIN + b"PUBLIC KEY", _BEGIN + b"RSA PUBLIC KEY"),
    *(_BEGIN + b"CERTIFICATE", _BEGIN + b"SSH2 PUBLIC KEY"),
    *(b"ssh-", b"ecdsa-sha2-", b"sk-"),
)
_AGE = (b"AGE-SECRET-KEY-", b"# created: ", b"age-encryption.org/")
_SEQUENCE = b"\x30"


class PassphraseNeeded(InvalidKey):
    """The key is encrypted, and no passphrase was given."""


def load(
    encoded: Secret, passphrase: Secret | None, *, inherit: bool | None
) -> _native.KeyBase:
    """
    Load a private key.

    Raises:
        PassphraseNeeded: It is encrypted, and ``passphrase`` is None.
        InvalidKey: It cannot be read; the text says why, or what may be.
        TypeError: Something else was given than Secrets.
    """
    _check(encoded, "key")
    if passphrase is not None:
        _check(passphrase, "passphrase")
    try:
        return _native.KeyBase.load(encoded, passphrase, inherit=inherit)
    except InvalidKey as error:
        if str(error) != _UNREADABLE:
            raise
    if not (is_encrypted_pem(encoded) or _is_encrypted_der(encoded)):
        raise InvalidKey(f"{_UNREADABLE}: {_cause(encoded)}")
    if passphrase is None:
        raise PassphraseNeeded(
            f"{_UNREADABLE}: it is encrypted, and needs its passphrase"
        )
    raise InvalidKey(
        f"{_UNREADABLE}: the passphrase is wrong, or the key is damaged or "
        "encrypted in a way that is not known here (`ssh-keygen -p` and "
        "`openssl pkcs8 -topk8` write it anew)"
    )


def _check(given: object, what: str) -> None:
    if not isinstance(given, Secret):
        raise TypeError(
            f"the {what} is a Secret, not {type(given).__name__}: "
            "Secret.from_bytes and Secret.from_file make one"
        )


def is_encrypted_pem(encoded: Secret) -> bool:
    """
    Tell whether a key in PEM needs a passphrase.

    By its cipher (PROTOCOL.key of OpenSSH), its label (RFC 7468, section 11)
    or a header ``Proc-Type`` (RFC 1421, section 4.6.1.1).
    """
    if _next_line_begins(encoded, _OPENSSH, _MAGIC):
        return not _next_line_begins(encoded, _OPENSSH, _PLAIN)
    return begins(encoded, _ENCRYPTED) or any(
        _next_line_begins(encoded, label, _PROC_TYPE) for label in _TRADITIONAL
    )


def _is_encrypted_der(encoded: Secret) -> bool:
    """Tell EncryptedPrivateKeyInfo (RFC 5958), whose first is a SEQUENCE."""
    # The length takes one byte, or as many more as it says (X.690, 8.1.3).
    for length, at in ((b"\x81", 3), (b"\x82", 4)):
        if begins(encoded, _SEQUENCE + length):
            return has(encoded, at, _SEQUENCE)
    return begins(encoded, _SEQUENCE) and has(encoded, 2, _SEQUENCE)


def _cause(encoded: Secret) -> str:
    """Say what it is, if that can be seen."""
    if any(begins(encoded, each) for each in _PUBLIC):
        return "it is a public key or a certificate; give the private one"
    if any(begins(encoded, each) for each in _AGE):
        return "it belongs to age (secretmem.age), and is no private key here"
    if begins(encoded, b"PuTTY-User-Key-File"):
        return (
            "it is PuTTY's; `puttygen KEY -O private-openssh` writes it for us"
        )
    return _KINDS


def begins(encoded: Secret, mark: bytes) -> bool:
    """Tell whether a text begins with a mark that is public."""
    return has(encoded, 0, mark)


def _next_line_begins(encoded: Secret, first: bytes, second: bytes) -> bool:
    """Tell whether it begins with a line and then so, as all systems do."""
    return any(
        begins(encoded, first + end + second) for end in (b"\n", b"\r\n")
    )


def has(encoded: Secret, at: int, mark: bytes) -> bool:
    """Compare a place with a mark that is public, inside secret memory."""
    if len(encoded) < at + len(mark):
        return False
    with encoded[at : at + len(mark)] as part:
        return part.matches(mark)
