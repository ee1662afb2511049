"""
Records: sealed values as bytes, and what they say in the clear.

::

    flags        1 byte: 1 opens once, 2 expires
    version      6 bytes, of the store's count of puts
    expiry       6 bytes, if it expires: milliseconds since 1970 (UTC)
    nonce        24 bytes, random
    ciphertext   as long as the value
    tag          16 bytes

One bytes object each: with a 32-byte value it has 79 bytes, which CPython
keeps in 112.
"""

from __future__ import annotations

import math
import time

from secretmem.crypto.aead import XChaCha20Poly1305


ONCE, EXPIRES = 1, 2
NONCE = XChaCha20Poly1305.NONCE_SIZE
TAG = XChaCha20Poly1305.TAG_SIZE
NUMBER = 6
MOST = (1 << 8 * NUMBER) - 1
_PLAIN, _DATED = 1 + NUMBER, 1 + 2 * NUMBER

MAX_NAME = 0xFFFF
"""Bytes of the longest name, in UTF-8."""

# Flags to the size of what is in the clear.
_SIZES = (_PLAIN, _PLAIN, _DATED, _DATED)


def head(version: int, expiry: int | None, *, once: bool) -> bytes:
    """Write what a record says in the clear."""
    flags = ONCE * once
    if expiry is None:
        return (flags << 8 * NUMBER | version).to_bytes(_PLAIN, "big")
    flags |= EXPIRES
    return (flags << 8 * NUMBER | version).to_bytes(
        _PLAIN, "big"
    ) + expiry.to_bytes(NUMBER, "big")


def split(record: bytes) -> int:
    """Return the size of a record's head."""
    return _SIZES[record[0]]


def well_formed(record: bytes) -> bool:
    """Tell whether a record from elsewhere can be one."""
    if not record or record[0] >= len(_SIZES):
        return False
    return len(record) >= split(record) + NONCE + TAG


def version(record: bytes) -> int:
    """Return the number of the put that made it."""
    return int.from_bytes(record[1:_PLAIN], "big")


def once(record: bytes) -> bool:
    """Tell whether it opens once."""
    return bool(record[0] & ONCE)


def expiry(record: bytes) -> int | None:
    """Return when it expires, in milliseconds since 1970."""
    if record[0] & EXPIRES:
        return int.from_bytes(record[_PLAIN:_DATED], "big")
    return None


def now() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def expiry_after(ttl: float | None) -> int | None:
    """
    Return when a value expires that lives for ``ttl`` seconds.

    Raises:
        TypeError: It is no number.
        ValueError: It is not positive, or ends after the year 10889.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(
            f"a time to live is a number of seconds, not {type(ttl).__name__}"
        )
    seconds = float(ttl)
    if not seconds > 0 or math.isinf(seconds):
        raise ValueError(
            f"a time to live is a positive number of seconds, not {ttl}"
        )
    end = now() + math.ceil(seconds * 1000)
    if end > MOST:
        raise ValueError(f"a time to live of {ttl} seconds is too long")
    return end


def encoded(name: object) -> bytes:
    """
    Return a name in UTF-8; names of files that are not text are names too.

    Raises:
        TypeError: It is no str.
        ValueError: It is longer than `MAX_NAME`.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"the name of a sealed value is a str, not {type(name).__name__}"
        )
    text = str.encode(name, "utf-8", "surrogatepass")
    if len(text) > MAX_NAME:
        raise ValueError(
            f"the name of a sealed value has at most {MAX_NAME} bytes in "
            f"UTF-8, not {len(text)}"
        )
    return text
