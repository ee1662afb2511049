"""
The keys that an audit looks for: where they come from, what they are.

A key comes from a file, a descriptor or the terminal, straight into secret
memory.  There is no way to name one in an argument or in the environment:
that would be a copy, in the auditor and in what lists processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from secretmem import Secret
from secretmem.audit.errors import AuditError


if TYPE_CHECKING:
    from secretmem.keys._load import Loaded


KINDS = {
    "raw": "bytes of which nothing more is known",
    "password": "a text, looked for as a whole (up to 16 bytes of it)",
    "ed25519": "an Ed25519 seed of 32 bytes",
    "x25519": "an X25519 private key of 32 bytes",
    "aes": "an AES key of 16, 24 or 32 bytes",
    "hmac": "an HMAC key",
    "pem": "a private key file: PEM, DER or OpenSSH",
}
ENCODINGS = ("hex", "base64")

_MOST = 64 << 10


class Planted(NamedTuple):
    """A key to look for."""

    label: str
    """How reports call it; public."""
    kind: str
    """One of `KINDS`, or ``pkcs8``."""
    secret: Secret


def load(spec: str, passphrase: Secret | None = None) -> Planted:
    """
    Load a key as ``KIND[:ENCODING]=SOURCE``.

    ``KIND`` is one of `KINDS`, ``ENCODING`` hex or base64, ``SOURCE`` a path,
    ``fd:N`` or ``prompt``.

    Raises:
        ValueError: The text does not have that form.
        AuditError: The source cannot be read, or holds no such key.
    """
    what, equals, source = spec.partition("=")
    kind, _, encoding = what.partition(":")
    if not equals or not source or kind not in KINDS:
        raise ValueError(
            "a key is KIND[:ENCODING]=SOURCE, KIND one of "
            f"{', '.join(KINDS)}, SOURCE a path, fd:N or prompt"
        )
    if encoding and (encoding not in ENCODINGS or kind == "pem"):
        raise ValueError(f"{kind} keys are not read as {encoding}")
    text = bool(encoding) or kind == "password"
    secret = read(source, kind, strip=text)
    if encoding:
        secret = _decoded(secret, encoding, kind, source)
    if kind != "pem":
        return Planted(f"{kind} of {source}", kind, secret)
    with secret:
        return _of_file(secret, passphrase, source)


def read(source: str, kind: str, *, strip: bool) -> Secret:
    """
    Read a path, ``fd:N`` or ``prompt`` into a Secret.

    Raises:
        AuditError: It cannot be read, or is larger than 64 KiB.
    """
    try:
        if source == "prompt":
            return Secret.prompt(f"Key to look for ({kind}): ")
        if source.startswith("fd:") and source[3:].isdecimal():
            return Secret.from_fd(int(source[3:]), strip=strip, max_size=_MOST)
        return Secret.from_file(source, strip=strip, max_size=_MOST)
    except OSError as error:
        text = error.strerror or type(error).__name__
        raise AuditError(f"{source}: {text}") from error
    except (EOFError, ValueError) as error:
        raise AuditError(f"{source}: {error}") from error


def _decoded(secret: Secret, encoding: str, kind: str, source: str) -> Secret:
    with secret:
        try:
            if encoding == "hex":
                return Secret.from_hex(secret)
            return Secret.from_base64(secret)
        except ValueError as error:
            raise AuditError(
                f"{source}: no {kind} key in {encoding}"
            ) from error


def _of_file(
    encoded: Secret, passphrase: Secret | None, source: str
) -> Planted:
    """Take a key out of its file: the forms are those of its numbers."""
    try:
        from secretmem.keys import load_pem
    except ImportError as error:
        raise AuditError(
            "private key files need the package cryptography",
            "pip install 'secretmem[crypto]'",
        ) from error
    from secretmem.exceptions import InvalidKey

    try:
        key = load_pem(encoded, passphrase)
    except InvalidKey as error:
        raise AuditError(
            f"{source}: {error}",
            "an encrypted key needs --passphrase fd:N or --passphrase prompt",
        ) from error
    return of_key(key, f"pem of {source}")


def of_key(key: Loaded, label: str) -> Planted:
    """Take a loaded private key, which is closed."""
    from secretmem.keys import Ed25519PrivateKey, X25519PrivateKey

    with key:
        if isinstance(key, Ed25519PrivateKey):
            return Planted(label, "ed25519", key.seed())
        if isinstance(key, X25519PrivateKey):
            return Planted(label, "x25519", key.seed())
        return Planted(label, "pkcs8", key.pkcs8())
