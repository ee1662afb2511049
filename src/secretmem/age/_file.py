"""
Whole files: encrypt and decrypt, in memory or from descriptor to descriptor.

Ciphertext is public and travels as ordinary bytes.  Plaintext is in a Secret,
or on secret pages on its way from or to a descriptor.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from secretmem import Secret, _policy
from secretmem._secret import MAX_SIZE
from secretmem._sources import descriptor_of
from secretmem.age import _armor, _header, _keys


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from typing_extensions import Buffer

    from secretmem import _native
    from secretmem._sources import Descriptor
    from secretmem.age import _wrap

    FileSource = Buffer | str | os.PathLike[str] | Descriptor
    Recipients = Iterable[_wrap.Recipient]
    Identities = Sequence[_wrap.Identity]
    Progress = Callable[[int], object]
else:
    _native = _policy.bind()

CHUNK = 64 << 10
_TAG = 16
_SEALED = CHUNK + _TAG


def encrypt(
    data: Buffer | Secret,
    recipients: Recipients,
    *,
    armor: bool = False,
) -> bytes:
    """
    Encrypt ``data`` to recipients; returns an age file.

    Args:
        data: A Secret, or bytes-like.
        recipients: One or more; each of them can open the file.  A
            Passphrase stands alone.
        armor: Text for mail and terminals, a third longer.

    Raises:
        InvalidKey: No recipient, or a passphrase beside others.
    """
    head, key = _keys.start(recipients)
    with key:
        whole = head + _native.age_seal(key, data)
    if not armor:
        return whole
    out = io.BytesIO()
    writer = _armor.ArmorWriter(out)
    writer.write(whole)
    writer.finish()
    return out.getvalue()


def decrypt(
    source: FileSource,
    identities: Identities,
    *,
    max_size: int = MAX_SIZE,
    name: str | None = None,
) -> Secret:
    """
    Decrypt an age file, armored or not, into a new Secret.

    Args:
        source: The file's content (bytes-like), its path (``str`` or
            ``os.PathLike``), or a descriptor or file object, which is read
            to its end.
        identities: Tried in turn; one of them has to fit.
        max_size: The largest accepted plaintext in bytes.
        name: Of the result, which is kept as the identity is.

    Raises:
        NoMatchError: None of them fits.
        DamagedFileError: The file is damaged, cut short, or no age file.
        WorkFactorError: See `Passphrase`.
        ValueError: It holds more than ``max_size`` bytes.
        OSError: It cannot be read.
    """
    with opened(source) as file, _keys.payload_key(file, identities) as key:
        chunks = -(-max_size // CHUNK) or 1
        most = max_size + chunks * _TAG
        payload = file.read(most + 1)
        if len(payload) > most:
            raise ValueError(
                f"the file holds more than max_size = {max_size} bytes; "
                "pass a larger max_size"
            )
        with _payload_errors():
            return _native.age_open(Secret, key, payload, name)


def encrypt_fd(
    source: Descriptor,
    target: Descriptor,
    recipients: Recipients,
    *,
    armor: bool = False,
    progress: Progress | None = None,
) -> int:
    """
    Encrypt from descriptor to descriptor in constant memory.

    The kernel copies the plaintext from its buffers onto 64 KiB of secret
    pages, where it is encrypted.

    Args:
        source: Read to its end: file, pipe or socket.
        target: Gets the age file.
        recipients: As `encrypt`.
        armor: As `encrypt`.
        progress: Called after each chunk with the bytes encrypted so far.

    Returns:
        The bytes of plaintext.

    Raises:
        InvalidKey: As `encrypt`.
        OSError: A descriptor cannot be read or written.
    """
    number = descriptor_of(source)
    head, key = _keys.start(recipients)
    with key:
        stream = _native.AgeStream(key)
    total = 0
    with _writable(target) as raw:
        out = _armor.ArmorWriter(raw) if armor else raw
        out.write(head)
        while not stream.ended:
            total += stream.fill(number)
            out.write(stream.seal())
            if progress is not None:
                progress(total)
        if isinstance(out, _armor.ArmorWriter):
            out.finish()
    return total


def decrypt_to_fd(
    source: FileSource,
    target: Descriptor,
    identities: Identities,
    *,
    progress: Progress | None = None,
) -> int:
    """
    Decrypt an age file to a descriptor, in constant memory.

    The plaintext is on 64 KiB of secret pages and goes from there into the
    kernel's buffers.  Each chunk is authenticated before it is written, but
    the file may turn out to be damaged or cut only later: what was written
    is the true beginning of the plaintext, and must not be taken for all of
    it when this raises.

    Args:
        source: As `decrypt`.
        target: A file, pipe or socket.
        identities: As `decrypt`.
        progress: Called after each chunk with the bytes written so far.

    Returns:
        The bytes written.

    Raises:
        OSError: The target cannot be written; and as `decrypt`.
    """
    number = descriptor_of(target)
    flush = getattr(target, "flush", None)
    if flush is not None:
        flush()
    total = 0
    with opened(source) as file:
        with _keys.payload_key(file, identities) as key:
            stream = _native.AgeStream(key)
        for chunk, last in _chunks(file):
            whole = _opened(stream, chunk, last=last)
            stream.write(number)
            if not whole:
                raise _keys.payload_damaged()
            total += len(chunk) - _TAG
            if progress is not None:
                progress(total)
    return total


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Cut a payload; says which chunk is the last."""
    now, last = file.read(_SEALED), False
    while not last:
        ahead = file.read(_SEALED)
        last = not ahead
        yield now, last
        now = ahead


def _opened(stream: _native.AgeStream, chunk: bytes, *, last: bool) -> bool:
    """
    Open a chunk; False if it is whole and the file is not.

    The file was cut behind it, or goes on behind its last chunk.
    """
    from secretmem.crypto.errors import InvalidTag

    try:
        stream.open(chunk, last)
    except InvalidTag:
        with _payload_errors():
            stream.open(chunk, not last)
        return False
    return True


@contextmanager
def opened(source: FileSource) -> Iterator[BinaryIO]:
    """Open an age file behind its first line, without its armor."""
    with _raw(source) as file:
        start = file.read(len(_header.VERSION))
        if start != _header.VERSION and _armor.is_armored(start):
            inner: BinaryIO = io.BufferedReader(
                _armor.ArmorReader(file, start), CHUNK
            )
            start = inner.read(len(_header.VERSION))
        else:
            inner = file
        if start != _header.VERSION:
            raise _header.foreign()
        yield inner


def _raw(source: FileSource) -> io.BufferedReader:
    if isinstance(source, str | os.PathLike):
        fd, close = os.open(source, os.O_RDONLY | os.O_CLOEXEC), True
    elif isinstance(source, int) or hasattr(source, "fileno"):
        fd, close = descriptor_of(cast("Descriptor", source)), False
    else:
        content = io.BytesIO(source)
        return io.BufferedReader(content, CHUNK)
    return io.BufferedReader(io.FileIO(fd, "r", closefd=close), 2 * _SEALED)


@contextmanager
def _writable(target: Descriptor) -> Iterator[BinaryIO]:
    """Buffer what is written to a descriptor, which stays open."""
    flush = getattr(target, "flush", None)
    if flush is not None:
        flush()
    raw = io.FileIO(descriptor_of(target), "w", closefd=False)
    with io.BufferedWriter(raw, 2 * _SEALED) as file:
        yield file


@contextmanager
def _payload_errors() -> Iterator[None]:
    from secretmem.crypto.errors import InvalidTag

    try:
        yield
    except InvalidTag:
        raise _keys.payload_damaged() from None
