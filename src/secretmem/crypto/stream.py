"""
Encryption of data that does not fit into memory, key in secret memory.

The construction and the format are AES-GCM-HKDF Streaming of Google's Tink
(developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming), analysed
by Hoang and Shen (CCS 2020): each stream has a key of its own, derived by
HKDF-SHA256 from yours, a random salt and the associated data, and consists of
segments of AES-256-GCM whose nonces hold their number and whether they are
the last.  A segment that is changed, moved, repeated, left out, or missing at
the end is an error.  Streams are interchangeable with Tink's of the key type
``AesGcmHkdfStreamingKey`` with SHA256, a derived key of 32 bytes, and the
same size of ciphertext segments.

Plaintext comes from, and goes to, ordinary memory, except with
`decrypt_to_secret`.  The keys never leave secret memory.
"""

from __future__ import annotations

import errno
import io
from collections import deque
from typing import TYPE_CHECKING, Protocol

from secretmem import Secret
from secretmem.crypto._segments import (
    HEADER,
    SEGMENT_SIZE,
    TAG,
    Decryptor,
    Encryptor,
)


if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = (
    "Decryptor",
    "Encryptor",
    "decrypt",
    "decrypt_to_secret",
    "encrypt",
)


class _Reader(Protocol):
    """What data is read from: a file opened for reading bytes."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most ``size`` bytes, none at the end."""


class _Writer(Protocol):
    """What data is written to: a file opened for writing bytes."""

    def write(self, data: Buffer, /) -> object:
        """Write; the number of bytes if it may be less than all."""


def _read(reader: _Reader, size: int) -> bytes:
    """Read a piece; only the end is taken for the end."""
    data = reader.read(size)
    if data is None:
        raise BlockingIOError(
            errno.EAGAIN, "the reader has no data now; use one that waits"
        )
    return data


def _write(writer: _Writer, data: bytes) -> None:
    """Write all of it, as a file without a buffer may not do at once."""
    with memoryview(data) as rest:
        done = 0
        while done < len(rest):
            with rest[done:] as part:
                written = writer.write(part if done else data)
            if written is None and isinstance(writer, io.RawIOBase):
                raise BlockingIOError(
                    errno.EAGAIN,
                    "the writer takes no data now; use one that waits",
                )
            done += written if isinstance(written, int) else len(rest)


def _pass_through(
    stream: Encryptor | Decryptor, reader: _Reader, writer: _Writer
) -> None:
    # The last pieces are kept for a while: of memory that is freed at once
    # the C library gives the pages back, and each segment would fault them
    # in again, which takes longer than to encrypt it.
    recent: deque[bytes] = deque(maxlen=2)
    while data := _read(reader, stream._wanted()):  # noqa: SLF001 - of this package
        recent.append(stream.update(data))
        _write(writer, recent[-1])
    _write(writer, stream.finalize())


def encrypt(
    key: Secret,
    reader: _Reader,
    writer: _Writer,
    associated_data: bytes = b"",
    *,
    segment_size: int = SEGMENT_SIZE,
) -> None:
    """
    Encrypt what ``reader`` gives into ``writer``, in constant memory.

    Args:
        key: As for `Encryptor`.
        reader: Read to its end.
        writer: Takes the stream: 40 bytes, and 16 for each segment, more.
        associated_data: As for `Encryptor`.
        segment_size: As for `Encryptor`.

    Raises:
        InvalidKey: The key is too short.
        OSError: Of reader or writer; what was written is no stream then.
    """
    with Encryptor(key, associated_data, segment_size=segment_size) as stream:
        _pass_through(stream, reader, writer)


def decrypt(
    key: Secret,
    reader: _Reader,
    writer: _Writer,
    associated_data: bytes = b"",
    *,
    segment_size: int = SEGMENT_SIZE,
) -> None:
    """
    Decrypt the stream that ``reader`` gives into ``writer``.

    Nothing is written that was not authenticated.  What was written before
    an error is the beginning of the data: throw it away.

    Raises:
        InvalidTag: The stream is not whole and genuine.
        OSError: Of reader or writer.
    """
    with Decryptor(key, associated_data, segment_size=segment_size) as stream:
        _pass_through(stream, reader, writer)


def decrypt_to_secret(
    key: Secret,
    reader: _Reader,
    associated_data: bytes = b"",
    *,
    segment_size: int = SEGMENT_SIZE,
    max_size: int = 64 << 10,
    name: str | None = None,
) -> Secret:
    """
    Decrypt a short stream into a new Secret, kept as ``key`` is.

    Args:
        key: As for `Encryptor`.
        reader: Read to its end, or until ``max_size`` is passed.
        associated_data: As for `Encryptor`.
        segment_size: As for `Encryptor`.
        max_size: Bytes of data that are allowed; secret memory is scarce.
        name: Of the result.

    Raises:
        InvalidTag: The stream is not whole and genuine.
        ValueError: The data is longer than ``max_size``.
    """
    limit = _sealed_size(max_size, segment_size) + 1
    sealed = bytearray()
    while more := _read(reader, limit - len(sealed)):
        sealed += more
    size = _plain_size(len(sealed), segment_size)
    if size > max_size:
        raise ValueError(
            f"the stream holds more than max_size = {max_size} bytes; pass a "
            "larger max_size"
        )
    with Decryptor(key, associated_data, segment_size=segment_size) as stream:
        secret = Secret.from_bytes(
            bytes(max(size, 0)), name=name, inherit=key.inherit
        )
        try:
            with secret.reveal(writable=True) as view:
                stream._fill(sealed, view)  # noqa: SLF001 - of this package
        except BaseException:
            secret.close()
            raise
        return secret


def _sealed_size(size: int, segment_size: int) -> int:
    """Bytes of a stream that holds so much data."""
    segments = -(-(size + HEADER) // (segment_size - TAG))
    return size + HEADER + segments * TAG


def _plain_size(sealed: int, segment_size: int) -> int:
    """Bytes of data in a stream of so many; negative if it is too short."""
    return sealed - HEADER - -(-sealed // segment_size) * TAG
