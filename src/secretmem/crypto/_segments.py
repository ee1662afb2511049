"""The segments of a stream, in both directions; see `stream`."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from secretmem import Secret
from secretmem.crypto.aead import AESGCM
from secretmem.crypto.kdf import hkdf
from secretmem.exceptions import InvalidKey, KeyLimitError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from secretmem.crypto.errors import InvalidTag

KEY_SIZE = 32
SEGMENT_SIZE = 1 << 20
"""Bytes of a ciphertext segment unless told otherwise: 1 MiB."""

_SALT = 32
_PREFIX = 7
HEADER = 1 + _SALT + _PREFIX
TAG = AESGCM.TAG_SIZE
# The number of a segment has four bytes.
MAX_SEGMENTS = 1 << 32
_LARGEST = (1 << 31) - 1

_T = TypeVar("_T")


class _Pending:
    """
    Data that waits for its segment.

    Pieces of ``bytes`` are kept as they are: where they come in the size of
    segments, nothing is copied.
    """

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[bytes | memoryview] = deque()
        self.size = 0

    def add(self, data: Buffer) -> None:
        """Put data behind what is there."""
        part = data if type(data) is bytes else memoryview(data).tobytes()
        if part:
            self._parts.append(part)
            self.size += len(part)

    def take(self, size: int) -> bytes:
        """Take so many bytes off the front."""
        taken: list[bytes | memoryview] = []
        self.size -= size
        while size:
            part = self._parts.popleft()
            if len(part) > size:
                view = memoryview(part)
                self._parts.appendleft(view[size:])
                part = view[:size]
            taken.append(part)
            size -= len(part)
        first = taken[0] if taken else b""
        if len(taken) < 2 and isinstance(first, bytes):  # noqa: PLR2004 - one
            return first
        return b"".join(taken)


class _Stream:
    """What both directions have in common: the key, and where they are."""

    __slots__ = (
        "_cipher",
        "_ended",
        "_main",
        "_number",
        "_pending",
        "_prefix",
        "_size",
    )

    def __init__(self, key: Secret, segment_size: int) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key is a Secret, not {type(key).__name__}: "
                "Secret.random(32) makes one"
            )
        if len(key) < KEY_SIZE:
            raise InvalidKey(
                f"the key has {KEY_SIZE} bytes or more, not {len(key)}"
            )
        if not HEADER + TAG < segment_size <= _LARGEST:
            raise ValueError(
                f"a segment has {HEADER + TAG + 1} bytes to 2 GiB, "
                f"not {segment_size}"
            )
        self._main = key
        self._size = segment_size
        self._number = 0
        self._ended = False
        self._pending = _Pending()
        self._cipher: AESGCM | None = None
        self._prefix = b""

    def _begin(self, header: bytes, associated_data: bytes) -> None:
        """Derive the stream's key."""
        salt, self._prefix = header[1 : 1 + _SALT], header[1 + _SALT :]
        self._cipher = AESGCM(
            hkdf(self._main, KEY_SIZE, salt=salt, info=associated_data)
        )

    def _key(self) -> AESGCM:
        if self._cipher is None:
            raise ValueError("the stream has ended")
        return self._cipher

    def _nonce(self, *, last: bool) -> bytes:
        if self._number >= MAX_SEGMENTS:
            raise KeyLimitError(
                f"a stream has at most {MAX_SEGMENTS} segments, here of "
                f"{self._size} bytes"
            )
        number = self._number.to_bytes(4)
        self._number += 1
        return self._prefix + number + bytes([last])

    def close(self) -> None:
        """Wipe the stream's own key; ends it."""
        if self._cipher is not None:
            self._cipher.close()
        self._cipher = None
        self._pending = _Pending()
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError("the stream has ended")


class Encryptor(_Stream):
    """
    Encrypts one stream, piece by piece.

    What `update` and `finalize` return, in a row, is the stream.

    Args:
        key: 32 bytes or more; may be used for any number of streams.
        associated_data: What the stream is for; authenticated, not in it.
        segment_size: Bytes of a ciphertext segment, which the decrypting
            side must know; this much is kept in memory.

    Raises:
        InvalidKey: The key is too short.
    """

    __slots__ = ("_header",)

    def __init__(
        self,
        key: Secret,
        associated_data: bytes = b"",
        *,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        super().__init__(key, segment_size)
        self._header = bytes([HEADER]) + os.urandom(_SALT + _PREFIX)
        self._begin(self._header, associated_data)

    def update(self, data: Buffer) -> bytes:
        """
        Encrypt more data; returns what is ready of the stream.

        Raises:
            ValueError: The stream has ended.
            KeyLimitError: More than 2**32 segments.
        """
        self._check_open()
        self._pending.add(data)
        made = []
        # A segment is written when it is known not to be the last.
        while self._pending.size > (room := self._room()):
            made.append(self._segment(room, last=False))
        return b"".join(made)

    def finalize(self) -> bytes:
        """Return the end of the stream; wipes its key."""
        self._check_open()
        made = self._segment(self._pending.size, last=True)
        self.close()
        return made

    def _wanted(self) -> int:
        """How much data makes the next segment whole."""
        return self._room() - self._pending.size or self._size - TAG

    def _room(self) -> int:
        header = HEADER if self._number == 0 else 0
        return self._size - header - TAG

    def _segment(self, size: int, *, last: bool) -> bytes:
        header = self._header if self._number == 0 else b""
        nonce = self._nonce(last=last)
        return header + self._key().encrypt(nonce, self._pending.take(size))


class Decryptor(_Stream):
    """
    Decrypts one stream, piece by piece.

    What `update` returns is authenticated and in its place; that nothing is
    missing is known when `finalize` returns.  Do not act on the data before.

    Args:
        key: As for `Encryptor`.
        associated_data: As for `Encryptor`.
        segment_size: As for `Encryptor`.
    """

    __slots__ = ("_associated_data",)

    def __init__(
        self,
        key: Secret,
        associated_data: bytes = b"",
        *,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        super().__init__(key, segment_size)
        self._associated_data = associated_data

    def update(self, data: Buffer) -> bytes:
        """
        Take more of the stream; returns what of the data is sure.

        Raises:
            InvalidTag: A segment is damaged or out of place, or key or
                associated data are others.  The stream has then ended.
            ValueError: The stream has ended.
        """
        return b"".join(
            self._opened(segment, last=False) for segment in self._whole(data)
        )

    def finalize(self) -> bytes:
        """
        Return the rest of the data, and wipe the stream's key.

        Raises:
            InvalidTag: As `update`, or the end is missing.
        """
        data = self._opened(self._rest(), last=True)
        self.close()
        return data

    def _rest(self) -> bytes:
        """Take what must be the last segment."""
        self._check_open()
        if self._cipher is None:
            raise self._wrong("is shorter than its header")
        rest = self._pending.take(self._pending.size)
        if not self._can_be_last(rest):
            raise self._wrong("ends without its last segment")
        return rest

    def _can_be_last(self, rest: bytes) -> bool:
        """Only the segment of an empty stream holds no data."""
        return len(rest) > TAG or (self._number == 0 and len(rest) == TAG)

    def _whole(self, data: Buffer) -> Iterator[bytes]:
        """Give the segments that are whole and have data behind them."""
        self._check_open()
        self._pending.add(data)
        if self._cipher is None and not self._header_read():
            return
        while self._pending.size > (room := self._room()):
            yield self._pending.take(room)

    def _wanted(self) -> int:
        """How much of the stream makes the next segment whole."""
        room = self._size if self._cipher is None else self._room()
        return room - self._pending.size or self._size

    def _room(self) -> int:
        return self._size - (HEADER if self._number == 0 else 0)

    def _header_read(self) -> bool:
        if self._pending.size < HEADER:
            return False
        header = self._pending.take(HEADER)
        if header[0] != HEADER:
            raise self._wrong("does not begin with a header of this format")
        self._begin(header, self._associated_data)
        return True

    def _opened(self, segment: bytes, *, last: bool) -> bytes:
        return self._authentic(lambda c, n: c.decrypt(n, segment), last=last)

    def _opened_into(
        self, segment: bytes, buffer: memoryview, *, last: bool
    ) -> None:
        self._authentic(
            lambda c, n: c.decrypt_into(n, segment, None, buffer), last=last
        )

    def _authentic(
        self, decrypt: Callable[[AESGCM, bytes], _T], *, last: bool
    ) -> _T:
        """Decrypt the next segment; after a wrong one the stream has ended."""
        from secretmem.crypto.errors import InvalidTag

        number, nonce = self._number, self._nonce(last=last)
        try:
            return decrypt(self._key(), nonce)
        except InvalidTag:
            raise self._damaged(number) from None

    def _fill(self, sealed: Buffer, view: memoryview) -> None:
        """Decrypt a whole stream into a window of its data's size."""
        at = 0
        for segment in self._whole(sealed):
            end = at + len(segment) - TAG
            with view[at:end] as part:
                self._opened_into(segment, part, last=False)
            at = end
        with view[at:] as part:
            self._opened_into(self._rest(), part, last=True)

    def _damaged(self, number: int) -> InvalidTag:
        return self._wrong(
            f"has a segment {number} that is damaged, cut short or out of "
            "place, or of another key or other associated data"
        )

    def _wrong(self, what: str) -> InvalidTag:
        from secretmem.crypto.errors import InvalidTag

        self.close()
        return InvalidTag(f"the stream {what}")
