"""
The data types of the SSH protocol (RFC 4251, section 5).

Only what is public is read here: keys and passphrases are read in secret
memory.
"""

from __future__ import annotations

import struct


_U32 = struct.Struct(">I")


class WireError(ValueError):
    """The bytes are not what the protocol says."""


class Fields:
    """
    Fields of a message, read one after the other.

    Each method raises WireError when the bytes do not hold its field.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return one byte."""
        at = self._at
        if at >= len(self._data):
            raise WireError("the message ends before its last field")
        self._at = at + 1
        return self._data[at]

    def flag(self) -> bool:
        """Return a boolean: 0 is false, all else is true."""
        return self.byte() != 0

    def u32(self) -> int:
        """Return an unsigned number of 32 bits."""
        at = self._at
        if at + 4 > len(self._data):
            raise WireError("the message ends before its last field")
        self._at = at + 4
        return int.from_bytes(self._data[at : at + 4], "big")

    def u64(self) -> int:
        """Return an unsigned number of 64 bits."""
        return self.u32() << 32 | self.u32()

    def string(self) -> bytes:
        """Return a string: bytes with their length in front."""
        start = self._at + 4
        end = start + int.from_bytes(self._data[self._at : start], "big")
        if end > len(self._data) or start > len(self._data):
            raise WireError("the message ends before its last field")
        self._at = end
        return self._data[start:end]

    def text(self) -> str:
        """Return a string that is UTF-8 text without NUL."""
        data = self.string()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise WireError("a name is not UTF-8") from None
        if "\0" in text:
            raise WireError("a name holds a NUL")
        return text

    def fields(self) -> Fields:
        """Return the fields of a string."""
        return Fields(self.string())

    def rest(self) -> bytes:
        """Return what is left."""
        data = self._data[self._at :]
        self._at = len(self._data)
        return data

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Check that nothing is left."""
        if self.left:
            raise WireError("bytes follow the last field")


def u32(number: int) -> bytes:
    """Encode an unsigned number of 32 bits."""
    return _U32.pack(number)


def string(data: bytes) -> bytes:
    """Encode bytes with their length in front."""
    return _U32.pack(len(data)) + data


def strings(*parts: bytes) -> bytes:
    """Encode several strings in a row."""
    return b"".join(map(string, parts))


def mpint(number: bytes) -> bytes:
    """Encode a positive number, big endian, without needless zeros."""
    number = number.lstrip(b"\0")
    if number and number[0] & 0x80:
        number = b"\0" + number
    return string(number)


def frame(message: bytes) -> bytes:
    """Encode a message of the agent protocol: its length in front."""
    return _U32.pack(len(message)) + message
