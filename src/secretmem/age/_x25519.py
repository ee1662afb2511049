"""age's own keys: X25519, as Bech32 text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from secretmem import Secret, _policy
from secretmem._shown import unless_unmade
from secretmem.age import _header, _wrap
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from secretmem import _native
    from secretmem._sources import Path
    from secretmem.age._header import Stanza
else:
    _native = _policy.bind()

KIND = "X25519"
_INFO = b"age-encryption.org/v1/X25519"


class Recipient:
    """
    A public key that files are encrypted to; ``str()`` gives ``age1...``.

    Args:
        public: The 32 bytes of an X25519 public key.
    """

    __slots__ = ("_public",)

    def __init__(self, public: bytes) -> None:
        public = memoryview(public).tobytes()
        if len(public) != _wrap.KEY_SIZE:
            raise InvalidKey("an X25519 public key has 32 bytes")
        self._public = public

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read ``age1...``; for ssh keys see `parse_recipient`.

        Raises:
            InvalidKey: The text is not that, or was mistyped.
        """
        public = _native.age_recipient(text.strip())
        if public is None:
            raise InvalidKey(
                "not a recipient of age (age1 and 58 more characters): it "
                "may be mistyped, cut, or of another kind"
            )
        return cls(public)

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public

    def wrap(self, file_key: Secret) -> Stanza:
        """
        Wrap a 16-byte file key for this recipient.

        Raises:
            InvalidKey: The public key is one of the few whose shared secret
                is the same for everybody.
        """
        ephemeral = _native.X25519Base.generate(inherit=False)
        try:
            share = ephemeral.public()
            shared = ephemeral.exchange(Secret, self._public)
        finally:
            ephemeral.close()
        with _wrap.derived(shared, share, self._public, _INFO) as wrapping:
            body = _wrap.seal_key(wrapping, file_key)
        return _header.Stanza(KIND, (_header.encode(share),), body)

    def __str__(self) -> str:
        return _native.age_recipient_text(self._public)

    @unless_unmade
    def __repr__(self) -> str:
        return f"<Recipient {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recipient):
            return NotImplemented
        return self._public == other._public

    def __hash__(self) -> int:
        return hash(self._public)


class Identity:
    """
    A private key that opens files, in secret memory.

    It is made by `generate`, `from_secret` or `from_file`, and is a context
    manager that closes the key.
    """

    __slots__ = ("_key", "_public")

    def __init__(self, key: Secret) -> None:
        self._key = _native.X25519Base.from_seed(key, inherit=key.inherit)
        self._public = self._key.public()

    @classmethod
    def generate(cls, *, inherit: bool | None = None) -> Self:
        """Make a new one inside secret memory."""
        with Secret.random(_wrap.KEY_SIZE, inherit=inherit) as key:
            return cls(key)

    @classmethod
    def from_secret(cls, text: Secret) -> Self:
        """
        Read the text of one identity, with or without comment lines.

        Args:
            text: ``AGE-SECRET-KEY-1...``, as ``age-keygen`` writes it.

        Raises:
            InvalidKey: There is none, or more than one (`load_identities`
                takes several), or a line is something else.
        """
        found = read_identities(text)
        if len(found) == 1:
            with found[0] as key:
                return cls(key)
        for key in found:
            key.close()
        raise InvalidKey(
            f"the text holds {len(found)} identities, not one; "
            "secretmem.age.load_identities reads any number"
        )

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """
        Read a file with one identity; see `from_secret`.

        Raises:
            OSError: The file cannot be read.
        """
        with Secret.from_file(path) as text:
            return cls.from_secret(text)

    @property
    def recipient(self) -> Recipient:
        """Whom to encrypt to, for this identity to open it."""
        return Recipient(self._public)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._key.closed

    def text(self) -> Secret:
        """Return ``AGE-SECRET-KEY-1...`` as a new Secret of 74 bytes."""
        with self._key.seed(Secret) as key:
            return _native.age_identity_text(Secret, key)

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """
        Return the file key of a stanza; None if it is for another.

        Raises:
            DamagedFileError: The stanza is not formed as X25519 ones are.
        """
        if stanza.kind != KIND:
            return None
        share = _wrap.share_of(stanza, 0, 1)
        shared = exchanged(self._key, share)
        with _wrap.derived(shared, share, self._public, _INFO) as wrapping:
            return _wrap.open_key(wrapping, stanza.body)

    def close(self) -> None:
        """Close the key; it is wiped."""
        self._key.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @unless_unmade
    def __repr__(self) -> str:
        return f"<Identity of {self.recipient}>"


def exchanged(key: _native.X25519Base, share: bytes) -> Secret:
    """Return the shared secret; a share that gives zeros is damage."""
    try:
        return key.exchange(Secret, share)
    except InvalidKey:
        raise _header.damaged("a share is a point of low order") from None


def read_identities(text: Secret) -> list[Secret]:
    """
    Return the keys of a file of identities.

    Raises:
        InvalidKey: A line is neither an identity nor a comment.
    """
    found = _native.age_identities(Secret, text)
    if isinstance(found, int):
        raise InvalidKey(
            f"line {found} is neither an identity of age "
            "(AGE-SECRET-KEY-1...) nor a comment; it may be mistyped or cut"
        )
    return found
