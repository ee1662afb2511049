"""What the kinds of recipient share: how a file key is wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from secretmem import Secret, _policy
from secretmem.age import _header
from secretmem.crypto.kdf import hkdf


if TYPE_CHECKING:
    from secretmem import _native
    from secretmem.age._header import Stanza
else:
    _native = _policy.bind()

FILE_KEY_SIZE = 16
KEY_SIZE = 32
_TAG = 16
_WRAPPED = FILE_KEY_SIZE + _TAG
# A wrapping key is used once.
_NONCE = bytes(12)
_CIPHER = "chacha20-poly1305"


class Recipient(Protocol):
    """Whoever a file can be encrypted to."""

    def wrap(self, file_key: Secret) -> Stanza:
        """Wrap a file key of 16 bytes."""


class Identity(Protocol):
    """Whoever may open a file."""

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """Return the file key of a stanza; None if it is for another."""


def seal_key(wrapping: Secret, file_key: Secret) -> bytes:
    """Wrap a file key by ChaCha20-Poly1305."""
    return _native.aead_seal(_CIPHER, wrapping, _NONCE, file_key, b"")


def open_key(wrapping: Secret, body: bytes) -> Secret | None:
    """Unwrap a file key; None if it was wrapped by another key."""
    from secretmem.crypto.errors import InvalidTag

    try:
        return _native.aead_open_to_secret(
            Secret, _CIPHER, wrapping, _NONCE, body, b"", "age file key"
        )
    except InvalidTag:
        return None


def check_body(stanza: Stanza) -> None:
    """Raise DamagedFileError unless the body can be a wrapped file key."""
    if len(stanza.body) != _WRAPPED:
        raise _header.damaged(
            f"a file key is wrapped in {len(stanza.body)} bytes, not "
            f"{_WRAPPED}"
        )


def share_of(stanza: Stanza, argument: int, count: int) -> bytes:
    """Return the 32-byte public key among ``count`` arguments."""
    if len(stanza.arguments) != count:
        raise _header.damaged(
            f"a stanza of type {stanza.kind} has {len(stanza.arguments)} "
            f"arguments, not {count}"
        )
    share = _header.decode(stanza.arguments[argument])
    if len(share) != KEY_SIZE:
        raise _header.damaged(f"a share has {len(share)} bytes, not 32")
    check_body(stanza)
    return share


def derived(
    shared: Secret, share: bytes, public: bytes, info: bytes
) -> Secret:
    """Derive the wrapping key of a shared secret, which is closed."""
    with shared:
        return hkdf(shared, KEY_SIZE, salt=share + public, info=info)
