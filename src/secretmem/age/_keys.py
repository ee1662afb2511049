"""From the file key to the header's MAC and the payload's key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem import Secret, _policy
from secretmem.age import _header, _scrypt, _wrap
from secretmem.age.errors import DamagedFileError, NoMatchError
from secretmem.crypto.kdf import hkdf
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

    from secretmem import _native
    from secretmem.age._header import Header, Stanza
else:
    _native = _policy.bind()

_NONCE = 16


def start(recipients: Iterable[_wrap.Recipient]) -> tuple[bytes, Secret]:
    """
    Begin a file: its header with the payload's nonce, and the payload's key.

    Raises:
        InvalidKey: No recipient, or a passphrase and another one.
        TypeError: Something else, such as a text or an identity.
    """
    everyone = list(recipients)
    for each in everyone:
        if not hasattr(each, "wrap"):
            raise TypeError(
                f"a recipient is an object such as age.Recipient, not "
                f"{type(each).__name__}: age.parse_recipient(text) makes one, "
                "and an identity has it as its recipient"
            )
    if not everyone:
        raise InvalidKey("a file is encrypted to one recipient or more")
    phrases = [r for r in everyone if isinstance(r, _scrypt.Passphrase)]
    if phrases and len(everyone) > 1:
        raise InvalidKey(
            "a passphrase is the only recipient of its file (who knows it "
            "could else have made the file); encrypt twice instead"
        )
    with Secret.random(_wrap.FILE_KEY_SIZE, name="age file key") as file_key:
        signed = _header.written(each.wrap(file_key) for each in everyone)
        with _mac_key(file_key) as key:
            mac = _native.hmac("sha256", key, signed)
        nonce = os.urandom(_NONCE)
        head = signed + _header.ending(mac) + nonce
        return head, _payload_key(file_key, nonce)


def payload_key(
    source: BinaryIO, identities: Sequence[_wrap.Identity]
) -> Secret:
    """
    Read a file as far as its payload; returns the payload's key.

    Raises:
        DamagedFileError: The header is damaged or was changed.
        NoMatchError: It is for others.
        WorkFactorError: A passphrase costs more than is allowed.
    """
    header = _header.parse(source)
    with _file_key(header, identities) as file_key:
        with _mac_key(file_key) as key:
            if not _native.hmac_verify(
                "sha256", key, header.signed, header.mac
            ):
                raise DamagedFileError(
                    "mac",
                    "the header of the age file was changed after it was "
                    "written, although an identity fits: do not trust it",
                )
        nonce = source.read(_NONCE)
        if len(nonce) != _NONCE:
            raise _header.damaged("it ends too early")
        return _payload_key(file_key, nonce)


def payload_damaged() -> DamagedFileError:
    """Make the error of a payload."""
    return DamagedFileError(
        "payload",
        "the content of the age file is damaged or cut short; get the file "
        "again from where it came from",
    )


def _file_key(header: Header, identities: Sequence[_wrap.Identity]) -> Secret:
    stanzas = header.stanzas
    if len(stanzas) > 1 and any(s.kind == _scrypt.KIND for s in stanzas):
        raise _header.damaged("a passphrase is not its only recipient")
    for identity in identities:
        for stanza in stanzas:
            key = identity.unwrap(stanza)
            if key is not None:
                return key
    raise NoMatchError(_no_match(stanzas, identities))


def _no_match(
    stanzas: Sequence[Stanza], identities: Sequence[_wrap.Identity]
) -> str:
    """Say who could decrypt it."""
    if any(s.kind == _scrypt.KIND for s in stanzas):
        if any(isinstance(each, _scrypt.Passphrase) for each in identities):
            return "the passphrase is wrong"
        return "the file is encrypted with a passphrase; give it"
    kinds = ", ".join(sorted({s.kind for s in stanzas}))
    given, there = len(identities), len(stanzas)
    return (
        f"none of {given} {'identity' if given == 1 else 'identities'} "
        f"decrypts the file, which is for {there} "
        f"{'recipient' if there == 1 else 'recipients'} of type {kinds}; "
        "give the identity of one of them"
    )


def _mac_key(file_key: Secret) -> Secret:
    return hkdf(file_key, _wrap.KEY_SIZE, info=b"header")


def _payload_key(file_key: Secret, nonce: bytes) -> Secret:
    return hkdf(file_key, _wrap.KEY_SIZE, salt=nonce, info=b"payload")
