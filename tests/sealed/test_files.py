"""A file is whole, genuine and of the right key, or it is refused."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import secretmem
from sealed.conftest import secret, shows
from secretmem import (
    DamagedStoreError,
    SealedStore,
    Secret,
    WrongKeyError,
    hazmat,
)
from secretmem._sealed import _file, _record


if TYPE_CHECKING:
    from pathlib import Path

    from sealed.conftest import Clock


pytestmark = pytest.mark.needs_secretmem

HEAD = len(_file.FILE.line) + 52


@pytest.fixture
def filled(store: SealedStore) -> SealedStore:
    """A store with values of each kind."""
    store["a"] = secret(b"1")
    store.put("b", secret(b"22"), ttl=1e6)
    store.put("", secret(b""), once=True)
    return store


def parts(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Take a file without a wrapped key apart: head, values, MAC."""
    at, values = HEAD, []
    while at < len(data) - 32:
        of_name, of_record = struct.unpack_from(">HI", data, at)
        at += 6
        name = data[at : at + of_name]
        record = data[at + of_name : at + of_name + of_record]
        values.append((name, record))
        at += of_name + of_record
    return data[:HEAD], values, data[at:]


def joined(
    head: bytes, values: list[tuple[bytes, bytes]], mac: bytes
) -> bytes:
    """Put a file together, with the right count."""
    head = head[:-12] + struct.pack(">Q", len(values)) + head[-4:]
    body = b"".join(
        struct.pack(">HI", len(name), len(record)) + name + record
        for name, record in values
    )
    return head + body + mac


def test_a_file_is_read_as_it_was_written(
    filled: SealedStore, key: Secret, path: Path
) -> None:
    """Values, their order, their times and their number of openings."""
    filled.save(path)
    assert filled.generation == 1
    with SealedStore.load(path, key) as again:
        assert list(again) == ["a", "b", ""]
        assert again.generation == 1
        assert again["b"].expires == filled["b"].expires
        assert again[""].once
        assert shows(again, "a", b"1")
        assert shows(again, "", b"")
        assert list(again) == ["a", "b"]
        again["a"] = secret(b"new")
        again.save(path)
    with SealedStore.load(path, key) as third:
        assert third.generation == 2
        assert shows(third, "a", b"new")
        assert shows(third, "b", b"22")
    assert list(filled) == ["a", "b", ""]


def test_an_empty_store(store: SealedStore, key: Secret, path: Path) -> None:
    """It is a file too."""
    store.save(str(path))
    assert path.stat().st_size == HEAD + 32
    with SealedStore.load(os.fsencode(path), key) as again:
        assert not again


def test_a_file_is_the_owners(filled: SealedStore, path: Path) -> None:
    """One that is replaced keeps its mode, and a link stays one."""
    link = path.with_name("link")
    link.symlink_to(path)
    filled.save(link)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    filled.save(link)
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert {each.name for each in path.parent.iterdir()} == {"store", "link"}


def test_a_file_of_the_format_as_documented(key: Secret, path: Path) -> None:
    """Read and checked by other code, from the tables of the guide."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    store = SealedStore(key)
    store.put("name", secret(b"value"), once=True)
    store.save(path)
    data, raw = path.read_bytes(), hazmat.export_bytes(key)
    head, ((name, record),), mac = parts(data)
    line, fixed = head[:25], head[25:]
    assert line == b"secretmem sealed store 1\n"
    identity, check, generation, count, wrapped = struct.unpack(
        ">16s16sQQI", fixed
    )
    assert (generation, count, wrapped, name) == (1, 1, 0, b"name")

    def derived(what: bytes) -> bytes:
        info = b"secretmem sealed store 1: " + what
        return HKDF(SHA256(), 32, identity, info).derive(raw)

    whole = derived(b"whole")
    assert check == _hmac(whole, b"check")[:16]
    assert mac == _hmac(whole, b"file" + hashlib.sha256(data[:-32]).digest())
    assert record[0] == 1
    assert int.from_bytes(record[1:7], "big") == 1
    aad = b"secretmem sealed value 1" + identity + record[:7] + b"name"
    assert _xchacha(derived(b"values"), record[7:31], record[31:], aad) == (
        b"value"
    )


def _hmac(key: bytes, data: bytes) -> bytes:
    import hmac

    return hmac.digest(key, data, "sha256")


def _xchacha(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    from nacl import bindings

    return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        sealed, aad, nonce, key
    )


def test_each_changed_byte_is_noticed(
    filled: SealedStore, key: Secret, path: Path
) -> None:
    """Also each that is missing at the end, and one more."""
    filled.save(path)
    right = path.read_bytes()
    before = secretmem.posture().live
    for at in range(len(right)):
        changed = bytearray(right)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        # The id and the check are what tells that a key is another.
        other = 25 <= at < 57
        with pytest.raises(WrongKeyError if other else DamagedStoreError):
            SealedStore.load(path, key)
    for end in range(len(right)):
        path.write_bytes(right[:end])
        with pytest.raises(DamagedStoreError):
            SealedStore.load(path, key)
    path.write_bytes(right + b"\0")
    with pytest.raises(DamagedStoreError, match="follows its end"):
        SealedStore.load(path, key)
    assert secretmem.posture().live == before


def test_values_are_not_rearranged(
    filled: SealedStore, key: Secret, path: Path
) -> None:
    """None is exchanged, left out, twice, renamed, or of an older file."""
    filled.save(path)
    older = parts(path.read_bytes())[1]
    filled["a"] = secret(b"9")
    filled.save(path)
    head, values, mac = parts(path.read_bytes())
    assert joined(head, values, mac) == path.read_bytes()
    a, b, empty = values
    for arrangement in (
        [(a[0], b[1]), (b[0], a[1]), empty],
        [a, b],
        [b, a, empty],
        [a, b, empty, a],
        [a, a, empty],
        [a, (b"c", b[1]), empty],
        [older[0], b, empty],
        [],
    ):
        path.write_bytes(joined(head, arrangement, mac))
        with pytest.raises(DamagedStoreError):
            SealedStore.load(path, key)


def test_who_has_the_key_can_still_not_mix_names(
    filled: SealedStore, key: Secret, path: Path
) -> None:
    """Each value is bound to its name and its store by itself."""
    sealer, records = filled._table.copy()
    records["a"], records["b"] = records["b"], records["a"]
    with path.open("wb") as file:
        _file.write(file, _file.Content(sealer, 1, records))
    with SealedStore.load(path, key) as mixed:
        for name in ("a", "b"):
            with pytest.raises(DamagedStoreError, match=f"'{name}'"):
                mixed[name].open()


def test_another_key(filled: SealedStore, path: Path) -> None:
    """It is told from damage."""
    filled.save(path)
    with (
        SealedStore.generate_key() as other,
        pytest.raises(WrongKeyError, match="another key"),
    ):
        SealedStore.load(path, other)


def test_after_a_new_key(filled: SealedStore, key: Secret, path: Path) -> None:
    """The old one does not open what is saved from then on."""
    with SealedStore.generate_key() as new:
        filled.rekey(new)
        filled.save(path)
        with pytest.raises(WrongKeyError):
            SealedStore.load(path, key)
        with SealedStore.load(path, new) as again:
            assert shows(again, "a", b"1")


def test_what_has_expired_is_not_saved_or_loaded(
    store: SealedStore, key: Secret, path: Path, clock: Clock
) -> None:
    """It is as if deleted, in files too."""
    store.put("a", secret(b"1"), ttl=10)
    store.put("b", secret(b"1"), ttl=20)
    store.save(path)
    clock.now += 10_000
    with SealedStore.load(path, key) as again:
        assert list(again) == ["b"]
    store.save(path)
    assert len(parts(path.read_bytes())[1]) == 1


def test_later_puts_win_after_loading(
    store: SealedStore, key: Secret, path: Path
) -> None:
    """The count of puts goes on where it was."""
    for number in range(5):
        store["a"] = secret(b"%d" % number)
    store.save(path)
    with SealedStore.load(path, key) as again:
        again["a"] = secret(b"new")
        assert shows(again, "a", b"new")


def test_what_is_no_file(store: SealedStore, key: Secret, path: Path) -> None:
    """A folder, a FIFO, nothing: an error, and no waiting."""
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    for wrong in (fifo, path.parent):
        with pytest.raises((ValueError, IsADirectoryError)):
            store.save(wrong)
        with pytest.raises((ValueError, IsADirectoryError)):
            SealedStore.load(wrong, key)
    with pytest.raises(FileNotFoundError):
        SealedStore.load(path, key)
    with pytest.raises(FileNotFoundError) as caught:
        store.save(path / "no" / "folder")
    assert caught.value.filename == str(path / "no" / "folder")


def test_what_is_no_store(key: Secret, path: Path) -> None:
    """The message says what to give."""
    for data in (b"", b"x" * 100, b"secretmem sealed store 2\n" + b"x" * 99):
        path.write_bytes(data)
        with pytest.raises(DamagedStoreError, match=r"too early|no sealed"):
            SealedStore.load(path, key)


_KEY = bytes(range(32))


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=50,
)
@given(
    names=st.lists(st.text(max_size=8), unique=True, max_size=5),
    at=st.integers(0, 1 << 16),
    data=st.binary(max_size=80),
    kept=st.integers(0, 80),
)
def test_damaged_files(
    names: list[str], at: int, data: bytes, kept: int
) -> None:
    """Whatever is written over whatever part: refused, and nothing else."""
    with Secret.from_bytes(_KEY) as key, SealedStore(key) as store:
        for name in names:
            store[name] = secret(b"value")
        sealer, records = store._table.copy()
        file = io.BytesIO()
        _file.write(file, _file.Content(sealer, 7, records))
        right = file.getvalue()
        at %= len(right)
        changed = right[:at] + data + right[at + kept :]
        unlock = _file.Unlock.of(key, ())
        try:
            content = _file.read(io.BytesIO(changed), unlock)
        except (DamagedStoreError, WrongKeyError):
            assert changed != right
        else:
            assert changed == right
            assert content.records == records
            content.sealer.close()


def test_records_that_are_none() -> None:
    """What is too short, or of another kind, is told before it is used."""
    assert not _record.well_formed(b"")
    assert not _record.well_formed(bytes(46))
    assert _record.well_formed(bytes(47))
    assert not _record.well_formed(b"\2" + bytes(51))
    assert _record.well_formed(b"\3" + bytes(52))
    assert not _record.well_formed(b"\4" + bytes(99))
