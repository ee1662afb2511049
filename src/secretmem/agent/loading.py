"""Private keys on their way into the agent: add messages, key files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem import Secret, SecretmemError, _policy, age
from secretmem._unreadable import load
from secretmem.age._load import is_age
from secretmem.agent import constraints, publickey
from secretmem.agent.identities import Identity
from secretmem.agent.wire import WireError
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from secretmem import _native
else:
    _native = _policy.bind()


_SEED = 32


def parts(message: Secret) -> tuple[Any, bytes, bytes, bytes]:
    """
    Take an add message apart, inside secret memory.

    Returns:
        The private key, and what is public: the certificate or nothing, the
        comment, the constraints.

    Raises:
        InvalidKey: There is no key in it, or of a kind that is not taken:
            DSA, and ``sk-`` keys, which live on a FIDO device.
    """
    return _native.ssh_add_message(message)


def identity(found: object, *, constrained: bool) -> Identity | None:
    """Make an identity of the `parts`; None when it is not taken."""
    if not isinstance(found, tuple):
        return None
    key, certificate, comment, rest = found
    try:
        blob = _blob_with(key, certificate)
        limits = constraints.read(rest) if constrained else _none(rest)
    except (WireError, SecretmemError):
        # Reading the public numbers, too, takes secret memory for a moment.
        key.close()
        return None
    return Identity(blob, key, comment, limits)


def _none(rest: bytes) -> constraints.Constraints:
    """Check that a message without constraints ends there."""
    if rest:
        raise WireError("bytes follow the comment")
    return constraints.Constraints()


def _blob_with(key: Any, certificate: bytes) -> bytes:  # noqa: ANN401 - a native key
    """Return the certificate of a key, or its plain blob."""
    plain = blob_of(key)
    if not certificate:
        return plain
    if publickey.read(certificate).plain != plain:
        raise WireError("a certificate of another key")
    return certificate


def blob_of(key: Any) -> bytes:  # noqa: ANN401 - a native key
    """Return the public key blob of a private key."""
    if isinstance(key, _native.Ed25519Base):
        return publickey.of_ed25519(key.public())
    if key.kind == "rsa":
        return publickey.of_rsa(*key.public_numbers())
    return publickey.of_curve(key.kind, key.public_numbers()[0])


def load_key(
    encoded: Secret, passphrase: Secret | None = None
) -> _native.Ed25519Base | _native.KeyBase:
    """
    Load a private key from a file's content.

    Raises:
        PassphraseNeeded: It is encrypted, and there is none.
        InvalidKey: It is damaged, of an unknown kind, or the passphrase is
            wrong.
    """
    key = load(encoded, passphrase, inherit=False)
    if key.kind == "x25519":
        key.close()
        raise InvalidKey("an X25519 key does not sign")
    if key.kind != "ed25519":
        return key
    # The seed is the end of the PKCS#8 form (RFC 8410, section 7).
    with key.pkcs8(Secret) as form, form[-_SEED:] as seed:
        key.close()
        return _native.Ed25519Base.from_seed(seed, inherit=False)


def load_file(
    path: Path,
    passphrase: Secret | None = None,
    identities: Sequence[Any] = (),
) -> Identity:
    """
    Load a private key file, or one in an age file.

    Args:
        path: What ``ssh-keygen`` writes, PEM or DER; or that, encrypted by
            age.
        passphrase: Of an encrypted key.
        identities: For age files, as `age.decrypt` takes them.

    Raises:
        OSError: The file cannot be read.
        InvalidKey: As `load_key`.
        AgeError: The age file is damaged, or for other identities.
    """
    with Secret.from_file(path) as encoded:
        if is_age(encoded):
            with age.decrypt(path, identities) as inner:
                key = load_key(inner, passphrase)
        else:
            key = load_key(encoded, passphrase)
    return Identity(blob_of(key), key, str(path).encode())
