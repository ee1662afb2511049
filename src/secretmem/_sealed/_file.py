"""
Stores as files.

All numbers are big-endian::

    line         "secretmem sealed store 1", newline
    id           16 bytes, random for each store and each new key
    check        16 bytes, which tell whether a key is the store's
    generation   8 bytes: how often the store was saved
    count        8 bytes: of values
    wrapped      4 bytes: the length of what follows
                 the store's key as an age file, or nothing
    for each value:
      lengths    2 bytes of the name, 4 of the record
      name       in UTF-8, each once
      record     see _record.py
    mac          32 bytes: HMAC-SHA256 of the SHA-256 of all before it

The keys of values and MAC are derived by HKDF-SHA256 from the store's key,
with its id as the salt.  What a file says is believed when the MAC is right,
so no value can be taken for another's, left out, or exchanged for one of an
older file; that all of the file is an older one does not show.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

from secretmem import _whole
from secretmem._sealed import _record
from secretmem._sealed._sealer import (
    CHECK_SIZE,
    ID_SIZE,
    KEY_SIZE,
    MAC_SIZE,
    Sealer,
)
from secretmem.exceptions import CryptoError, DamagedStoreError, WrongKeyError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, Self

    from secretmem import Secret
    from secretmem._sources import Path
    from secretmem.age._wrap import Identity

_HEAD = struct.Struct(f">{ID_SIZE}s{CHECK_SIZE}sQQI")
_LENGTHS = struct.Struct(">HI")
# An age file with a key of 32 bytes to as many recipients as age reads.
_MOST_WRAPPED = 2 << 20
_BUFFER = 1 << 20


class Form(NamedTuple):
    """What is written: files, or what is like them."""

    line: bytes
    kind: bytes
    well_formed: Callable[[bytes], bool]


FILE = Form(b"secretmem sealed store 1\n", b"file", _record.well_formed)


class Content(NamedTuple):
    """What is in a file."""

    sealer: Sealer
    generation: int
    records: dict[str, bytes]


def _head(content: Content, form: Form) -> bytes:
    """Write what precedes the values."""
    sealer = content.sealer
    fixed = _HEAD.pack(
        sealer.identity,
        sealer.check,
        content.generation,
        len(content.records),
        len(sealer.wrapped),
    )
    return form.line + fixed + sealer.wrapped


def _pieces(content: Content, form: Form) -> Iterator[bytes]:
    yield _head(content, form)
    for name, record in content.records.items():
        text = _record.encoded(name)
        yield _LENGTHS.pack(len(text), len(record)) + text + record


def write(file: BinaryIO, content: Content, form: Form = FILE) -> None:
    """Write all of it, the MAC last."""
    whole = hashlib.sha256()
    for piece in _pieces(content, form):
        whole.update(piece)
        file.write(piece)
    file.write(content.sealer.mac(form.kind, whole.digest()))


def save(path: Path, content: Content) -> None:
    """
    Write a file in place of an old one, or neither.

    Raises:
        OSError: It cannot be written; the old one is there as it was.
        ValueError: There is something that is no regular file.
    """
    text = os.fsdecode(path)
    old = _whole.status(text)
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise ValueError(f"a store is saved to a file, which {text} is not")
    with (
        _whole.writing(text, 0o600, old) as fd,
        _whole.named(text),
        os.fdopen(fd, "wb", _BUFFER, closefd=False) as file,
    ):
        write(file, content)


def load(path: Path, unlock: Unlock) -> Content:
    """
    Read a file.

    Raises:
        WrongKeyError, DamagedStoreError: See `read`.
        OSError: It cannot be read.
    """
    # A FIFO would let it wait; a terminal would be this process's.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    fd = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(
                "a store is loaded from a file, which "
                f"{os.fsdecode(path)} is not"
            )
        with open(fd, "rb", _BUFFER, closefd=False) as file:
            return read(file, unlock)
    finally:
        os.close(fd)


class Unlock(NamedTuple):
    """Who opens a store: its key, or identities of age."""

    key: Secret | None
    identities: Sequence[Identity]

    @classmethod
    def of(cls, key: Secret | None, identities: Sequence[Identity]) -> Self:
        """
        Take what `load` was given.

        Raises:
            TypeError: Neither, or both.
        """
        if (key is None) is not bool(identities):
            raise TypeError(
                "a store is loaded with its key or with identities: one of "
                "the two"
            )
        return cls(key, identities)

    def sealer(self, identity: bytes, check: bytes, wrapped: bytes) -> Sealer:
        """
        Make the sealer of a store.

        Raises:
            WrongKeyError: It is another's.
        """
        if self.key is not None:
            return _checked(Sealer(self.key, identity, wrapped), check)
        if not wrapped:
            raise WrongKeyError(
                "the store was not saved for recipients: only its key opens it"
            )
        with self._unwrapped(wrapped) as key:
            return _checked(Sealer(key, identity, wrapped), check)

    def _unwrapped(self, wrapped: bytes) -> Secret:
        """Decrypt the key; for whom it is not, that is no damage."""
        from secretmem import age

        try:
            key = age.decrypt(wrapped, self.identities, max_size=KEY_SIZE)
        except ValueError as error:
            raise damaged(f"in its key, {error}") from None
        if len(key) != KEY_SIZE:
            key.close()
            raise damaged(f"its key does not have {KEY_SIZE} bytes")
        return key


def _checked(sealer: Sealer, check: bytes) -> Sealer:
    if sealer.check != check:
        sealer.close()
        raise WrongKeyError(
            "the store was sealed under another key than this one, or its "
            "first 100 bytes are damaged"
        )
    return sealer


class _Reader:
    """Reads what has a length, and digests it."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.left = size
        self._whole = hashlib.sha256()

    def take(self, size: int) -> bytes:
        """Read so many bytes, which have to be there."""
        if size > self.left:
            raise damaged("it ends too early")
        data = self._file.read(size)
        if len(data) != size:
            raise damaged("it was cut while it was read")
        self.left -= size
        self._whole.update(data)
        return data

    def digest(self) -> bytes:
        """Return the SHA-256 of what was read."""
        return self._whole.digest()


def damaged(what: str) -> DamagedStoreError:
    """Make the error of a file."""
    return DamagedStoreError(
        f"the sealed store is damaged: {what}; restore it from a copy"
    )


def _begin(
    reader: _Reader, unlock: Unlock, form: Form
) -> tuple[Sealer, int, int]:
    """Read the head: sealer, generation, count."""
    if reader.take(len(form.line)) != form.line:
        raise DamagedStoreError(
            "this is no sealed store of version 1: give what "
            "SealedStore.save wrote"
        )
    fixed = reader.take(_HEAD.size)
    identity, check, generation, count, size = _HEAD.unpack(fixed)
    if size > _MOST_WRAPPED:
        raise damaged("its key is too long")
    wrapped = reader.take(size)
    return unlock.sealer(identity, check, wrapped), generation, count


def _finish(reader: _Reader, sealer: Sealer, kind: bytes) -> None:
    """Read and check the MAC, which ends it."""
    digest = reader.digest()
    mac = reader.take(MAC_SIZE)
    if reader.left:
        raise damaged("something follows its end")
    try:
        sealer.verify(kind, digest, mac)
    except CryptoError:
        raise damaged("it was changed after it was written") from None


def read(file: BinaryIO, unlock: Unlock, form: Form = FILE) -> Content:
    """
    Read all of it.

    Raises:
        WrongKeyError: It is of another key.
        DamagedStoreError: It was changed or cut.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    reader = _Reader(file, size)
    sealer, generation, count = _begin(reader, unlock, form)
    try:
        records = _records(reader, count, form)
        _finish(reader, sealer, form.kind)
    except BaseException:
        sealer.close()
        raise
    return Content(sealer, generation, records)


def _records(reader: _Reader, count: int, form: Form) -> dict[str, bytes]:
    records = {}
    for _ in range(count):
        of_name, of_record = _LENGTHS.unpack(reader.take(_LENGTHS.size))
        name = _decoded(reader.take(of_name))
        record = reader.take(of_record)
        if not form.well_formed(record):
            raise damaged("a value is not formed as values are")
        records[name] = record
    if len(records) != count:
        raise damaged("it has a name twice")
    return records


def _decoded(text: bytes) -> str:
    """Read a name."""
    try:
        return text.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise damaged("a name is not UTF-8") from None
