"""
ssh keys: ssh-ed25519 and ssh-rsa, as recipients and identities.

A file is wrapped for the key itself, so whoever has the private key opens it;
an ssh agent cannot.  Derivation for ssh-ed25519 as in age's Go package
``agessh``: the Ed25519 key is used as the X25519 key that belongs to it, and
the shared secret is multiplied with a tweak that is bound to the ssh key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Self

from secretmem import Secret, _policy
from secretmem._shown import unless_unmade
from secretmem._unreadable import load
from secretmem.age import _header, _wrap
from secretmem.age._edwards import montgomery
from secretmem.crypto.exchange import x25519
from secretmem.crypto.kdf import hkdf
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from secretmem import _native
    from secretmem._sources import Path
    from secretmem.age._header import Stanza
else:
    _native = _policy.bind()

ED25519, RSA = "ssh-ed25519", "ssh-rsa"
_ED25519_LABEL = b"age-encryption.org/v1/ssh-ed25519"
_RSA_LABEL = b"age-encryption.org/v1/ssh-rsa"
_HASH = "sha256"
_LENGTH = 4
# Bits of an RSA modulus that files are encrypted to.
_LEAST_BITS, _MOST_BITS = 2048, 8192


def _strings(blob: bytes) -> list[bytes]:
    """Cut the strings of an ssh key (RFC 4251, section 5) apart."""
    parts, rest = [], blob
    while rest:
        length = int.from_bytes(rest[:_LENGTH], "big")
        part, rest = rest[_LENGTH:][:length], rest[_LENGTH + length :]
        if len(part) != length:
            raise _not_a_key("it is cut short")
        parts.append(part)
    return parts


def _packed(*parts: bytes) -> bytes:
    return b"".join(len(p).to_bytes(_LENGTH, "big") + p for p in parts)


def _mpint(number: bytes) -> bytes:
    """Return the form of a positive number in RFC 4251."""
    return b"\0" + number if number[:1] >= b"\x80" else number


def _not_a_key(why: str) -> InvalidKey:
    return InvalidKey(
        f"not a public key of type {ED25519} or {RSA}: {why}; give the line "
        "of the .pub file"
    )


def _tweaked(blob: bytes, point: bytes) -> bytes:
    """Multiply a public point with the tweak of an ssh key."""
    with (
        Secret.from_bytes(b"") as nothing,
        hkdf(nothing, _wrap.KEY_SIZE, salt=blob, info=_ED25519_LABEL) as tweak,
        x25519(tweak, point) as product,
    ):
        return product._export()  # noqa: SLF001 - made of public numbers


class SSHRecipient:
    """
    An ssh public key that files are encrypted to.

    ``str()`` gives the line without its comment.
    """

    __slots__ = ("_blob", "_kind", "_parts")

    _parts: tuple[bytes, ...]

    def __init__(self, blob: bytes) -> None:
        kind, *parts = _strings(blob) or [b""]
        self._blob = blob
        self._kind = kind.decode("ascii", "replace")
        if self._kind == ED25519 and len(parts) == 1:
            # The X25519 key that belongs to it.
            self._parts = (montgomery(parts[0]),)
        elif self._kind == RSA and len(parts) == 2:  # noqa: PLR2004 - e, n
            exponent, modulus = (part.lstrip(b"\0") for part in parts)
            bits = int.from_bytes(modulus, "big").bit_length()
            if not _LEAST_BITS <= bits <= _MOST_BITS:
                raise _not_a_key(
                    f"RSA keys have {_LEAST_BITS} to {_MOST_BITS} bits, and "
                    f"this one {bits}"
                )
            self._parts = (modulus, exponent)
        else:
            raise _not_a_key("it is of another type")

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read ``ssh-ed25519 AAAA...`` or ``ssh-rsa AAAA...``, the .pub line.

        Raises:
            InvalidKey: It is not that.
        """
        kind, _, rest = text.strip().partition(" ")
        encoded = rest.strip().partition(" ")[0]
        if kind not in (ED25519, RSA):
            raise _not_a_key("it is of another type")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise _not_a_key("its text is not base64") from None
        made = cls(blob)
        if made.kind != kind:
            raise _not_a_key("it is of another type than it says")
        return made

    @property
    def kind(self) -> str:
        """Either ``"ssh-ed25519"`` or ``"ssh-rsa"``."""
        return self._kind

    @property
    def tag(self) -> str:
        """What stanzas for this key are marked with; tells who can open."""
        return _header.encode(hashlib.sha256(self._blob).digest()[:4])

    def wrap(self, file_key: Secret) -> Stanza:
        """Wrap a 16-byte file key for this recipient."""
        if self._kind == RSA:
            modulus, exponent = self._parts
            body = _native.rsa_seal_oaep(
                modulus, exponent, _HASH, _RSA_LABEL, file_key
            )
            return _header.Stanza(RSA, (self.tag,), body)
        public = self._parts[0]
        ephemeral = _native.X25519Base.generate(inherit=False)
        try:
            share = ephemeral.public()
            # In this order what is in ordinary memory is public.
            shared = ephemeral.exchange(Secret, _tweaked(self._blob, public))
        finally:
            ephemeral.close()
        with _wrap.derived(shared, share, public, _ED25519_LABEL) as wrapping:
            body = _wrap.seal_key(wrapping, file_key)
        return _header.Stanza(ED25519, (self.tag, _header.encode(share)), body)

    def __str__(self) -> str:
        return f"{self._kind} {base64.b64encode(self._blob).decode('ascii')}"

    @unless_unmade
    def __repr__(self) -> str:
        return f"<SSHRecipient {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SSHRecipient):
            return NotImplemented
        return self._blob == other._blob

    def __hash__(self) -> int:
        return hash(self._blob)


class SSHIdentity:
    """
    An ssh private key that opens files, in secret memory.

    It is made by `from_secret` or `from_file`, and is a context manager that
    closes the key.
    """

    __slots__ = ("_blob", "_key", "_public", "_recipient")

    _key: _native.X25519Base | _native.KeyBase

    def __init__(self, key: _native.KeyBase) -> None:
        if key.kind == "ed25519":
            self._use_ed25519(key)
        elif key.kind == "rsa":
            self._key, self._public = key, b""
            numbers = _native.rsa_numbers(key.public())
            assert numbers is not None  # noqa: S101 - an RSA key has them
            modulus, exponent = map(_mpint, numbers)
            self._blob = _packed(RSA.encode(), exponent, modulus)
        else:
            key.close()
            raise InvalidKey(
                f"a private key of type {key.kind} opens no age files: "
                f"{ED25519} and {RSA} do"
            )
        self._recipient = SSHRecipient(self._blob)

    def _use_ed25519(self, key: _native.KeyBase) -> None:
        # The seed is the end of the PKCS#8 form (RFC 8410, section 7).
        with key.pkcs8(Secret) as form, form[-_wrap.KEY_SIZE :] as seed:
            key.close()
            signing = _native.Ed25519Base.from_seed(seed, inherit=seed.inherit)
            self._blob = _packed(ED25519.encode(), signing.public())
            signing.close()
            # The scalar of RFC 8032, section 5.1.5.
            with (
                _native.digest_to_secret(
                    Secret, "sha512", seed, None
                ) as hashed,
                hashed[: _wrap.KEY_SIZE] as scalar,
            ):
                self._key = _native.X25519Base.from_seed(
                    scalar, inherit=seed.inherit
                )
        self._public = self._key.public()

    @classmethod
    def from_secret(
        cls,
        text: Secret,
        passphrase: Secret | None = None,
        *,
        inherit: bool | None = None,
    ) -> Self:
        """
        Read a private key: OpenSSH's own format or PEM.

        Args:
            text: The file's content.
            passphrase: Of an encrypted key.
            inherit: Whether forked children have it.

        Raises:
            InvalidKey: Damaged, of another kind, or a wrong passphrase.
        """
        return cls(load(text, passphrase, inherit=inherit))

    @classmethod
    def from_file(
        cls,
        path: Path,
        passphrase: Secret | None = None,
        *,
        inherit: bool | None = None,
    ) -> Self:
        """
        Read a file such as ``~/.ssh/id_ed25519``; see `from_secret`.

        Raises:
            OSError: The file cannot be read.
        """
        with Secret.from_file(path) as text:
            return cls.from_secret(text, passphrase, inherit=inherit)

    @property
    def recipient(self) -> SSHRecipient:
        """Whom to encrypt to, for this identity to open it."""
        return self._recipient

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._key.closed

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """
        Return the file key of a stanza; None if it is for another.

        Raises:
            DamagedFileError: The stanza is not formed as those of ssh keys.
        """
        mine = self._recipient
        if stanza.kind != mine.kind or stanza.arguments[:1] != (mine.tag,):
            return None
        if mine.kind == RSA:
            return self._unwrap_rsa(stanza)
        share = _wrap.share_of(stanza, 1, 2)
        try:
            shared = self._exchanged(_tweaked(self._blob, share))
        except InvalidKey:
            raise _header.damaged("a share is a point of low order") from None
        with _wrap.derived(
            shared, share, self._public, _ED25519_LABEL
        ) as wrapping:
            return _wrap.open_key(wrapping, stanza.body)

    def _exchanged(self, point: bytes) -> Secret:
        assert isinstance(self._key, _native.X25519Base)  # noqa: S101 - as made
        return self._key.exchange(Secret, point)

    def _unwrap_rsa(self, stanza: Stanza) -> Secret | None:
        from secretmem.crypto.errors import InvalidTag

        assert isinstance(self._key, _native.KeyBase)  # noqa: S101 - as made
        if len(stanza.arguments) != 1:
            raise _header.damaged(f"a stanza of type {RSA} has one argument")
        try:
            key = self._key.decrypt_oaep(
                Secret, _HASH, _HASH, _RSA_LABEL, stanza.body
            )
        except InvalidTag:
            return None
        if len(key) != _wrap.FILE_KEY_SIZE:
            key.close()
            raise _header.damaged("the file key has not 16 bytes")
        return key

    def close(self) -> None:
        """Close the key; it is wiped."""
        self._key.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @unless_unmade
    def __repr__(self) -> str:
        return f"<SSHIdentity of {self._recipient}>"
