"""Identities and recipients from files and texts of any kind."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem._unreadable import begins, has, is_encrypted_pem
from secretmem.age._armor import MOST_AROUND
from secretmem.age._file import decrypt
from secretmem.age._scrypt import MAX_WORK_FACTOR, Passphrase
from secretmem.age._ssh import SSHIdentity, SSHRecipient
from secretmem.age._x25519 import Identity, Recipient, read_identities
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secretmem._sources import Path
    from secretmem.age._wrap import Recipient as Recipients

_PEM = b"-----BEGIN "
_ARMOR = b"-----BEGIN AGE "
_WHITE = (b" ", b"\t", b"\n", b"\r", b"\v", b"\f")
_AGE = b"age-encryption.org/v1"


def load_identities(
    source: Path | Secret,
    passphrase: Secret | None = None,
    *,
    max_work_factor: int = MAX_WORK_FACTOR,
) -> list[Identity | SSHIdentity]:
    """
    Read all identities of a file.

    Args:
        source: A path, or a Secret with a file's content: lines of
            ``AGE-SECRET-KEY-1...`` and comments, or one ssh private key.
        passphrase: Of an encrypted ssh key, or of a file of identities that
            is itself an age file.
        max_work_factor: Of such a file, as in `Passphrase`: 1 to 30.

    Raises:
        InvalidKey: No identity in it, a line that is none, or an ssh key
            that cannot be read.
        NoMatchError, DamagedFileError, WorkFactorError: It is an age file,
            as `decrypt`.
        OSError: It cannot be read.
    """
    with _text(source) as text:
        if not is_age(text):
            return _identities(text, passphrase)
        # Ciphertext may lie in ordinary memory.
        file = text._export()  # noqa: SLF001 - not a secret: no export
    if passphrase is None:
        raise InvalidKey(
            "the file of identities is encrypted with a passphrase; give it"
        )
    phrase = Passphrase(passphrase, max_work_factor=max_work_factor)
    with decrypt(file, [phrase]) as text:
        return _identities(text, None)


@contextmanager
def _text(source: Path | Secret) -> Iterator[Secret]:
    """Read a file once, which may be a pipe; a Secret stays open."""
    if isinstance(source, Secret):
        yield source
        return
    with Secret.from_file(source) as text:
        yield text


def is_age(text: Secret) -> bool:
    """Tell whether a file's content is an age file, armored or not."""
    return begins(text, _AGE) or has(text, _blanks(text), _ARMOR)


def _blanks(text: Secret) -> int:
    """Count the white space at its start, as much as an armor may have."""
    most = min(len(text), MOST_AROUND)
    for at in range(most):
        with text[at : at + 1] as one:
            if not any(map(one.matches, _WHITE)):
                return at
    return most


def is_encrypted(source: Path | Secret) -> bool:
    """
    Tell whether a file of identities needs a passphrase.

    It does if it is an age file, or a private key that says that it is
    encrypted: by its cipher (PROTOCOL.key of OpenSSH), its label (RFC 7468,
    section 11) or a header ``Proc-Type`` (RFC 1421, section 4.6.1.1).  One
    that is damaged or of another kind needs none: `load_identities` says
    what is wrong with it.

    Args:
        source: A path, or a Secret with the file's content.

    Raises:
        OSError: It cannot be read.
    """
    with _text(source) as text:
        return is_age(text) or is_encrypted_pem(text)


def _identities(
    text: Secret, passphrase: Secret | None
) -> list[Identity | SSHIdentity]:
    if begins(text, _PEM):
        return [SSHIdentity.from_secret(text, passphrase)]
    found: list[Identity | SSHIdentity] = []
    for key in read_identities(text):
        with key:
            found.append(Identity(key))
    if not found:
        raise InvalidKey("the file holds no identity, only comments")
    return found


def parse_recipient(text: str) -> Recipient | SSHRecipient:
    """
    Read a recipient of any kind: ``age1...`` or a line of an ssh .pub file.

    Raises:
        InvalidKey: It is neither.
    """
    if text.strip().startswith("ssh-"):
        return SSHRecipient.parse(text)
    return Recipient.parse(text)


def given(recipients: Iterable[Recipients | str]) -> list[Recipients]:
    """
    Take recipients as objects or as text.

    Raises:
        InvalidKey: A text is none.
        TypeError: One is something else, such as an identity.
    """
    found = []
    for each in recipients:
        recipient = parse_recipient(each) if isinstance(each, str) else each
        if not hasattr(recipient, "wrap"):
            raise TypeError(
                "a recipient is one of secretmem.age's, such as "
                "identity.recipient, or its text, not "
                f"{type(recipient).__name__}"
            )
        found.append(recipient)
    return found


def load_recipients(path: Path) -> list[Recipient | SSHRecipient]:
    """
    Read a file of recipients, one a line; lines with ``#`` are comments.

    Raises:
        InvalidKey: A line is no recipient; says which.  Or there is none.
        OSError, UnicodeError: It cannot be read.
    """
    found = []
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path of any kind
        for number, line in enumerate(file, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            try:
                found.append(parse_recipient(text))
            except InvalidKey as error:
                where = f"{os.fsdecode(path)}, line {number}"
                raise InvalidKey(f"{where}: {error}") from None
    if not found:
        raise InvalidKey(
            f"{os.fsdecode(path)}: the file holds no recipient; it has one a "
            "line: age1..., ssh-ed25519 ... or ssh-rsa ..."
        )
    return found
