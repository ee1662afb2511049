"""
The header of an age file (age-encryption.org/v1): text, and nothing secret.

A version line, one stanza or more, and a MAC.  The grammar is strict: a
header that is read and written again is the same bytes, as its MAC needs.
There is no library for it in Python; the one in Rust, ``age-core``, brings
75 packages with a second cryptographic library among them for these lines.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secretmem.age.errors import DamagedFileError
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

VERSION = b"age-encryption.org/v1\n"
# Bytes of the longest header that is read: some 9,000 recipients.
MOST = 1 << 20

# The type of stanza that stands alone.
SCRYPT = "scrypt"

_COLUMNS = 64
_MAC = 32
_ARGUMENT = re.compile(rb"[\x21-\x7e]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


@dataclass(frozen=True, slots=True)
class Stanza:
    """
    A file key, wrapped for one recipient.

    ``kind`` is the recipient's type, such as ``"X25519"``; ``arguments`` are
    its public parameters, ``body`` the wrapped key.
    """

    kind: str
    arguments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header; ``signed`` is what its 32-byte ``mac`` is of."""

    stanzas: tuple[Stanza, ...]
    signed: bytes
    mac: bytes


def damaged(text: str) -> DamagedFileError:
    """Make the error of a header."""
    return DamagedFileError(
        "header",
        f"the header of the age file is damaged: {text}; get the file again "
        "from where it came from",
    )


def encode(data: bytes) -> str:
    """Encode as base64 without padding."""
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: bytes | str) -> bytes:
    """
    Decode canonical base64 without padding.

    Raises:
        DamagedFileError: It is not that.
    """
    raw = text.encode("ascii") if isinstance(text, str) else text
    if _BASE64.fullmatch(raw) and len(raw) % 4 != 1:
        data = base64.b64decode(raw + b"=" * (-len(raw) % 4))
        if encode(data).encode("ascii") == raw:
            return data
    raise damaged("base64 was expected that is canonical and not padded")


def written(stanzas: Iterable[Stanza]) -> bytes:
    """
    Write a header up to its MAC: what the MAC is of.

    Raises:
        InvalidKey: A recipient made a stanza that no reader would take.
    """
    lines = []
    everyone = tuple(stanzas)
    for stanza in everyone:
        _check(stanza, alone=len(everyone) == 1)
        lines.append(" ".join(("->", stanza.kind, *stanza.arguments)))
        text = encode(stanza.body)
        # The last line is shorter than the others, and empty if it must be.
        lines += [
            text[at : at + _COLUMNS]
            for at in range(0, len(text) + 1, _COLUMNS)
        ]
    body = "".join(f"{line}\n" for line in lines)
    return VERSION + body.encode("ascii") + b"---"


def _check(stanza: Stanza, *, alone: bool) -> None:
    """Check what a recipient, maybe of a caller's own class, has made."""
    for word in (stanza.kind, *stanza.arguments):
        if not _ARGUMENT.fullmatch(word.encode("utf-8", "surrogatepass")):
            raise InvalidKey(
                "a recipient's stanza is not formed as age's are: its type "
                "and its arguments are printable ASCII without spaces, and "
                "not empty"
            )
    if stanza.kind == SCRYPT and not alone:
        raise InvalidKey(
            f"a stanza of type {SCRYPT} is the only one of its file (who "
            "knows the passphrase could else have made the file); encrypt "
            "twice instead"
        )


def ending(mac: bytes) -> bytes:
    """Write what follows `written`."""
    return f" {encode(mac)}\n".encode("ascii")


def foreign() -> DamagedFileError:
    """Make the error of a file whose first line is another."""
    return DamagedFileError(
        "header",
        "this is no age file of version 1 (age-encryption.org/v1): give the "
        "file that age or `secretmem seal` wrote",
    )


class _Lines:
    """The lines of a header, and what was read of it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.read = bytearray()

    def next(self) -> bytes:
        """Read a line, without its end."""
        line = self._source.readline(MOST - len(self.read) + 1)
        self.read += line
        if len(self.read) > MOST:
            raise damaged(f"it is longer than {MOST} bytes")
        if not line.endswith(b"\n"):
            raise damaged("it ends too early")
        return line[:-1]


def parse(source: BinaryIO) -> Header:
    """
    Read a header behind its first line; what follows is left in ``source``.

    Raises:
        DamagedFileError: It is damaged or cut.
    """
    lines = _Lines(source)
    stanzas = []
    while (line := lines.next()).startswith(b"-> "):
        stanzas.append(_stanza(line[3:], lines))
    if not line.startswith(b"--- "):
        raise damaged("a stanza or the MAC was expected")
    if not stanzas:
        raise damaged("it names no recipient")
    mac = decode(line[4:])
    if len(mac) != _MAC:
        raise damaged(f"its MAC has {len(mac)} bytes, not {_MAC}")
    signed = VERSION + bytes(lines.read[: -len(line) - 1]) + b"---"
    return Header(tuple(stanzas), signed, mac)


def _stanza(first: bytes, lines: _Lines) -> Stanza:
    words = first.split(b" ")
    if not all(_ARGUMENT.fullmatch(word) for word in words):
        raise damaged("a stanza has arguments that are not printable ASCII")
    body = bytearray()
    while len(line := lines.next()) == _COLUMNS:
        body += line
    if len(line) > _COLUMNS:
        raise damaged(f"a line of a stanza has more than {_COLUMNS} columns")
    body += line
    kind, *arguments = (word.decode("ascii") for word in words)
    return Stanza(kind, tuple(arguments), decode(bytes(body)))
