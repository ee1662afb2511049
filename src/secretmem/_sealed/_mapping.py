"""
Stores in mappings from str to bytes.

Items, by the prefix of the store::

    <prefix>index     which values belong to it: as a file (``_file``), with
                      the line "secretmem sealed index 1" and, in place of
                      each record, its SHA-256
    <prefix><digest>  a record, by the first 16 bytes of that in hexadecimal

A record never changes under its key, and the index is written when all of
its records are there: so one write decides which state is valid.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from secretmem._sealed import _file, _record
from secretmem._sealed._sealer import digest


if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from secretmem._sealed._file import Content, Unlock

PREFIX = "sealed/"

_INDEX = "index"
_DIGEST = 32
_NAME = re.compile("[0-9a-f]{32}")


def _of_digest(data: bytes) -> bool:
    return len(data) == _DIGEST


INDEX = _file.Form(b"secretmem sealed index 1\n", b"index", _of_digest)


def save(
    mapping: MutableMapping[str, bytes], prefix: str, content: Content
) -> None:
    """Write what is new, then the index, and delete what is old."""
    digests, keys = {}, set()
    for name, record in content.records.items():
        digests[name] = digest(record)
        key = _key(prefix, digests[name])
        keys.add(key)
        if mapping.get(key) != record:
            mapping[key] = record
    _sync(mapping)
    index = io.BytesIO()
    _file.write(index, content._replace(records=digests), INDEX)
    mapping[prefix + _INDEX] = index.getvalue()
    _sync(mapping)
    for key in _records_of(mapping, prefix):
        if key not in keys:
            del mapping[key]


def load(mapping: Mapping[str, bytes], prefix: str, unlock: Unlock) -> Content:
    """
    Read the index, and the records that it names.

    Raises:
        KeyError: There is no index.
        WrongKeyError, DamagedStoreError: As of a file; or a record is
            missing, or another.
    """
    index = _bytes(mapping[prefix + _INDEX])
    content = _file.read(io.BytesIO(index), unlock, INDEX)
    try:
        return content._replace(
            records={
                name: _found(mapping, prefix, name, wanted)
                for name, wanted in content.records.items()
            }
        )
    except BaseException:
        content.sealer.close()
        raise


def _found(
    mapping: Mapping[str, bytes], prefix: str, name: str, wanted: bytes
) -> bytes:
    try:
        record = _bytes(mapping[_key(prefix, wanted)])
    except KeyError:
        raise _file.damaged(f"the value of {name!r} is missing") from None
    if digest(record) != wanted or not _record.well_formed(record):
        raise _file.damaged(f"the value of {name!r} was changed")
    return record


def _key(prefix: str, wanted: bytes) -> str:
    return prefix + wanted[: _DIGEST // 2].hex()


def _bytes(value: object) -> bytes:
    """Return what a mapping gave as bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(
        f"the mapping has a {type(value).__name__} where bytes were written"
    )


def _records_of(mapping: Mapping[str, bytes], prefix: str) -> list[str]:
    """List the keys of records, also of mappings that give keys as bytes."""
    texts = map(_text, list(mapping.keys()))
    return [
        text
        for text in texts
        if text.startswith(prefix) and _NAME.fullmatch(text, len(prefix))
    ]


def _text(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8", "replace")
    return key if isinstance(key, str) else ""


def _sync(mapping: object) -> None:
    """Let the items reach the disk, as shelve and dbm can."""
    sync = getattr(mapping, "sync", None)
    if callable(sync):
        sync()
