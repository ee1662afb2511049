"""Bytes in and out of the fake: buffers, text, encodings, descriptors."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import select
import socket
import stat
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


WHITE_SPACE: Final = b" \t\n\r\x0b\x0c"
"""ASCII white space, as bytes.strip takes it."""

_CHUNK: Final = 1 << 16
_NEWLINE: Final = b"\n"
# What the driver of a terminal passes of one line (termios(3)).
_MOST_OF_LINE: Final = 4095
# Seconds between two looks at signals.
_LOOK: Final = 0.25


def of_buffer(data: Any) -> bytes:  # noqa: ANN401 any buffer
    """
    Copy a bytes-like object.

    Raises:
        TypeError: it has no buffer.
        BufferError: its buffer is not one piece.

    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.tobytes()


def has_buffer(value: object) -> bool:
    """Tell whether a value is bytes-like."""
    try:
        of_buffer(value)
    except (TypeError, BufferError, ValueError):
        return False
    return True


def check_writable(data: Any) -> None:  # noqa: ANN401 any buffer
    """
    Require a writable buffer.

    Raises:
        TypeError: it is read-only.

    """
    if memoryview(data).readonly:
        raise TypeError(
            "wipe=True needs a writable buffer such as bytearray: bytes "
            "cannot be wiped"
        )


def wipe_buffer(data: Any) -> None:  # noqa: ANN401 any buffer
    """Zero a writable buffer."""
    flat = memoryview(data).cast("B")
    flat[:] = bytes(len(flat))


def of_text(text: str) -> bytes:
    """
    Encode text as UTF-8.

    Raises:
        ValueError: it cannot be encoded; the error does not show it.

    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise ValueError("the text cannot be encoded as UTF-8")


def decoded(data: bytes, encoding: str) -> bytes:
    """
    Decode "base64", "base64url" or "hex"; white space at the ends is left out.

    Raises:
        ValueError: it is not valid, or there is no such encoding; the error
            shows nothing of it.

    """
    text = data.strip(WHITE_SPACE)
    result = None
    try:
        if encoding == "hex":
            result = _hex(text)
        elif encoding in ("base64", "base64url"):
            result = _base64(text, urlsafe=encoding == "base64url")
        else:
            raise ValueError(f"no such encoding: {encoding!r}")
    except binascii.Error:
        pass
    if result is None:
        raise ValueError("the text is not valid in this encoding")
    return result


def _hex(text: bytes) -> bytes:
    return binascii.unhexlify(text)


def _base64(text: bytes, *, urlsafe: bool) -> bytes | None:
    """Accept missing padding, and nothing else that is not canonical."""
    body = text.rstrip(b"=")
    padding = len(text) - len(body)
    if padding and (len(text) % 4 or padding > 2):  # noqa: PLR2004 RFC 4648
        return None
    whole = body + b"=" * (-len(body) % 4)
    alphabet = b"-_" if urlsafe else b"+/"
    found = base64.b64decode(whole, altchars=alphabet, validate=True)
    again = base64.b64encode(found, altchars=alphabet)
    return found if again == whole else None


def read_all(fd: int, most: int) -> bytes:
    """
    Read a descriptor to its end.

    Raises:
        ValueError: there are more than `most` bytes, or it is a socket that
            cuts messages.
        OSError: it cannot be read.

    """
    _refuse_cutting(fd)
    return _joined(iter(lambda: _read(fd, _CHUNK), b""), most)


def read_line(
    fd: int, most: int, between: Callable[[], None] | None
) -> bytes | None:
    """
    Read a line without its end; None at the end of the input.

    Raises:
        ValueError: there are more than `most` bytes, or a part is so long
            that the terminal may have cut it.
        OSError: it cannot be read.

    """
    line = b""
    while read := _read_between(fd, between):
        part, end, _ = read.partition(_NEWLINE)
        line += part
        if len(line) > most:
            raise _too_large(most)
        if len(part) >= _MOST_OF_LINE and os.isatty(fd):
            raise ValueError(
                f"the terminal cuts a line at {_MOST_OF_LINE} bytes, and "
                "this one is as long; take a longer secret from a file or a "
                "pipe"
            )
        if end:
            return line
    return line or None


def _refuse_cutting(fd: int) -> None:
    """Accept no socket of another type than a stream."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return
    with socket.socket(fileno=os.dup(fd)) as opened:
        if opened.type != socket.SOCK_STREAM:
            raise ValueError(
                "a datagram or packet socket cuts what does not fit one "
                "message; use a stream"
            )


def _read(fd: int, most: int) -> bytes:
    """Read, and wait where the descriptor does not."""
    while True:
        try:
            return os.read(fd, most)
        except BlockingIOError:
            select.select([fd], [], [])


def _read_between(fd: int, between: Callable[[], None] | None) -> bytes:
    """Read, and call ``between`` several times a second until then."""
    while True:
        if between is not None:
            between()
        if select.select([fd], [], [], _LOOK)[0]:
            with contextlib.suppress(BlockingIOError):
                return os.read(fd, _CHUNK)


def _joined(parts: Iterator[bytes], most: int) -> bytes:
    out = bytearray()
    for part in parts:
        out += part
        if len(out) > most:
            raise _too_large(most)
    return bytes(out)


def _too_large(most: int) -> ValueError:
    return ValueError(
        f"the source holds more than max_size = {most} bytes; pass a larger "
        "max_size"
    )


def write_all(fd: int, data: bytes) -> None:
    """
    Write all of `data` to a descriptor.

    Raises:
        ValueError: it is a socket that cuts messages.
        OSError: it cannot be written.

    """
    _refuse_cutting(fd)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
