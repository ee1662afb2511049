"""
The keys that an audit looks for: where they come from, what they are.

A key is read straight into secret memory, from any of `secretmem.sources`
but the environment.  There is no way to name one in an argument or in a
variable: that would be a copy, in the auditor and in what lists processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from secretmem import Secret, sources
from secretmem.audit.errors import AuditError
from secretmem.exceptions import SourceError


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


class Planted(NamedTuple):
    """A key to look for."""

    label: str
    """How reports call it; public."""
    kind: str
    """One of `KINDS`, or ``pkcs8``."""
    secret: Secret


def load(spec: str, passphrase: Secret | None = None) -> Planted:
    """
    Load a key as ``KIND=SOURCE``.

    ``KIND`` is one of `KINDS`, ``SOURCE`` what `read` takes.

    Raises:
        ValueError: The text does not have that form.
        AuditError: The source cannot be read, or holds no such key.
    """
    kind, equals, source = spec.partition("=")
    if not equals or not source or kind not in KINDS:
        raise ValueError(
            "a key is KIND=SOURCE, KIND one of "
            f"{', '.join(KINDS)}, SOURCE a path, prompt, fd:N or another "
            "source of secretmem.sources"
        )
    secret = read(source, kind)
    if kind == "password":
        with secret:
            # Editors and shells put a newline there.
            return Planted(f"{kind} of {source}", kind, secret.strip())
    if kind != "pem":
        return Planted(f"{kind} of {source}", kind, secret)
    with secret:
        return _of_file(secret, passphrase, source)


def read(source: str, kind: str) -> Secret:
    """
    Read a source: a path, ``prompt``, or a text of `secretmem.sources`.

    Raises:
        ValueError: It is a variable.
        AuditError: It cannot be read.
    """
    scheme, colon, _ = source.partition(":")
    try:
        if scheme == "env":
            raise ValueError(
                "a key is not read from the environment: there it is a copy"
            )
        if source == "prompt":
            return sources.read(f"prompt:Key to look for ({kind}): ")
        if colon and sources.known(scheme):
            return sources.read(source)
        return sources.File(source).read()
    except SourceError as error:
        raise AuditError(str(error), error.remedy or None) from error


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
    with key:
        return Planted(f"pem of {source}", *secret_of(key))


def secret_of(key: Secret | Loaded, kind: str = "raw") -> tuple[str, Secret]:
    """
    Say what to look for: kind and Secret.

    Args:
        key: A Secret, which is given back unless it is a private key file,
            or a loaded private key, of which a new Secret is made.
        kind: What a Secret is, of `KINDS`.

    Raises:
        AuditError: It holds no private key that can be read.
    """
    if isinstance(key, Secret):
        if kind != "pem":
            return kind, key
        return _of_file(key, None, "the key")[1:]
    from secretmem.keys import Ed25519PrivateKey, X25519PrivateKey

    if isinstance(key, Ed25519PrivateKey):
        return "ed25519", key.seed()
    if isinstance(key, X25519PrivateKey):
        return "x25519", key.seed()
    return "pkcs8", key.pkcs8()
