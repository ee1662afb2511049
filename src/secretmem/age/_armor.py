"""
The armor of an age file: strict PEM (RFC 7468) with one label.

It wraps ciphertext, so nothing here is secret.  Every line but the last has
64 columns; only white space may stand around it.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import TYPE_CHECKING

from secretmem.age.errors import DamagedFileError


if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
END = b"-----END AGE ENCRYPTED FILE-----"

_COLUMNS = 64
_LINE = 48
MOST_AROUND = 1024
"""Bytes of white space before the armor, and after it."""

# Of one of its lines.
_LONGEST = 128


def damaged(text: str) -> DamagedFileError:
    """Make the error of an armor."""
    return DamagedFileError(
        "armor",
        f"the armor of the age file is damaged: {text}; get the file again "
        "from where it came from",
    )


def is_armored(start: bytes) -> bool:
    """Tell by its first bytes whether a file is armored, rightly or not."""
    text = start.lstrip()
    return bool(start) and (not text or text.startswith(BEGIN[:5]))


class ArmorReader(io.RawIOBase):
    """
    Takes the armor off what it reads from ``source``.

    ``start`` was read of it already, less than the armor's first line.
    """

    def __init__(self, source: BinaryIO, start: bytes = b"") -> None:
        self._source = source
        self._ready = memoryview(b"")
        self._ended = False
        self._begin(start)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with what the armor holds."""
        while not self._ready and not self._ended:
            self._more()
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _line(self) -> bytes:
        line = self._source.readline(_LONGEST)
        if line.endswith(b"\r\n"):
            return line[:-2]
        if line.endswith(b"\n"):
            return line[:-1]
        if len(line) == _LONGEST:
            raise damaged("a line is too long")
        return line

    def _begin(self, start: bytes) -> None:
        around, line = 0, b""
        while not line.strip() and around <= MOST_AROUND:
            line, newline, start = start.partition(b"\n")
            if not newline:
                more = self._source.readline(_LONGEST)
                if not line and not more:
                    break
                line += more
            around += len(line) + 1
        if line.rstrip(b"\n").removesuffix(b"\r").lstrip() != BEGIN:
            raise damaged(f"its first line is not {BEGIN.decode()}")

    def _more(self) -> None:
        """Decode one line, the last one with what follows it."""
        line = self._line()
        if line == END:
            self._end()
            return
        if not line:
            raise damaged("it ends too early, or has an empty line")
        self._ready = memoryview(_decoded(line))
        if len(line) < _COLUMNS or line.endswith(b"="):
            if self._line() != END:
                raise damaged(f"its last line is not {END.decode()}")
            self._end()

    def _end(self) -> None:
        self._ended = True
        rest = self._source.read(MOST_AROUND + 1)
        if rest.strip() or len(rest) > MOST_AROUND:
            raise damaged("something follows it")


def _decoded(line: bytes) -> bytes:
    if len(line) > _COLUMNS:
        raise damaged(f"a line has more than {_COLUMNS} columns")
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise damaged("a line is not base64") from None
    if base64.b64encode(data) != line:
        raise damaged("a line is not canonical base64")
    return data


class ArmorWriter:
    """Puts an armor around what it writes to ``target``."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._rest = b""
        target.write(BEGIN + b"\n")

    def write(self, data: bytes) -> int:
        """Write; what does not fill a line waits."""
        whole = self._rest + data
        full = len(whole) - len(whole) % _LINE
        self._rest = whole[full:]
        for at in range(0, full, _LINE):
            line = binascii.b2a_base64(whole[at : at + _LINE])
            self._target.write(line)
        return len(data)

    def finish(self) -> None:
        """Write the last lines."""
        if self._rest:
            self._target.write(binascii.b2a_base64(self._rest))
        self._target.write(END + b"\n")
