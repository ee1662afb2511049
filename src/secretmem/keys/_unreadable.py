"""Why a private key cannot be read, as far as its public marks tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import _policy
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from secretmem import Secret, _native
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
# OpenSSH's own format with the cipher "none" (PROTOCOL.key), in base64 up to
# the last whole character.
_OPEN_OPENSSH = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
_ENCRYPTED = _BEGIN + b"ENCRYPTED PRIVATE KEY-----"
# RFC 1421, section 4.6.1.1, behind the label.
_PROC_TYPE = b"Proc-Type: 4,ENCRYPTED"
_OLD_LABELS = tuple(
    _BEGIN + kind + b" PRIVATE KEY-----" for kind in (b"RSA", b"EC", b"DSA")
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
    """
    try:
        return _native.KeyBase.load(encoded, passphrase, inherit=inherit)
    except InvalidKey as error:
        if str(error) != _UNREADABLE:
            raise
    if not is_encrypted(encoded):
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


def is_encrypted(encoded: Secret) -> bool:
    """Tell by the label of PEM, or the outer structure of DER."""
    if _begins(encoded, _ENCRYPTED):
        return True
    if _begins(encoded, _OPENSSH):
        return not _next_line_begins(encoded, len(_OPENSSH), _OPEN_OPENSSH)
    for label in _OLD_LABELS:
        if _begins(encoded, label):
            return _next_line_begins(encoded, len(label), _PROC_TYPE)
    return _is_encrypted_der(encoded)


def _is_encrypted_der(encoded: Secret) -> bool:
    """Tell EncryptedPrivateKeyInfo (RFC 5958), whose first is a SEQUENCE."""
    # The length takes one byte, or as many more as it says (X.690, 8.1.3).
    for length, at in ((b"\x81", 3), (b"\x82", 4)):
        if _begins(encoded, _SEQUENCE + length):
            return _has(encoded, at, _SEQUENCE)
    return _begins(encoded, _SEQUENCE) and _has(encoded, 2, _SEQUENCE)


def _cause(encoded: Secret) -> str:
    """Say what it is, if that can be seen."""
    if any(_begins(encoded, each) for each in _PUBLIC):
        return "it is a public key or a certificate; give the private one"
    if any(_begins(encoded, each) for each in _AGE):
        return "it belongs to age (secretmem.age), and is no private key here"
    if _begins(encoded, b"PuTTY-User-Key-File"):
        return (
            "it is PuTTY's; `puttygen KEY -O private-openssh` writes it for us"
        )
    return _KINDS


def _begins(encoded: Secret, mark: bytes) -> bool:
    return _has(encoded, 0, mark)


def _next_line_begins(encoded: Secret, end: int, mark: bytes) -> bool:
    """Tell what is behind a line feed, or a carriage return and one."""
    return any(
        _has(encoded, end, ending + mark) for ending in (b"\n", b"\r\n")
    )


def _has(encoded: Secret, at: int, mark: bytes) -> bool:
    """Compare a place with a mark that is public, inside secret memory."""
    if len(encoded) < at + len(mark):
        return False
    with encoded[at : at + len(mark)] as part:
        return part.matches(mark)
