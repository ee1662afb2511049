"""Files that carry their key, encrypted to recipients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sealed.conftest import secret, shows
from secretmem import (
    DamagedStoreError,
    SealedStore,
    Secret,
    WrongKeyError,
    age,
)
from secretmem._sealed import _file


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem

HEAD = len(_file.FILE.line) + 52


def test_a_store_that_nobody_could_open(path: Path) -> None:
    """Its key is random, and ends with the process."""
    with SealedStore.generate() as store:
        with pytest.raises(ValueError, match="nobody else has it"):
            store.save(path)
        with SealedStore.generate_key() as key:
            store.rekey(key)
        store.save(path)
        store.rekey()
        with pytest.raises(ValueError, match="nobody else has it"):
            store.save(path)


def test_recipients(path: Path) -> None:
    """An identity opens it, and no other; the key does too."""
    with (
        age.Identity.generate() as identity,
        age.Identity.generate() as stranger,
        SealedStore.generate_key() as key,
    ):
        store = SealedStore(key, recipients=[str(identity.recipient)])
        store["a"] = secret(b"1")
        store.save(path)
        for again in (
            SealedStore.load(path, identities=[stranger, identity]),
            SealedStore.load(path, key),
        ):
            assert shows(again, "a", b"1")
            # It is saved for the same recipients again.
            again.save(path)
        with pytest.raises(age.NoMatchError):
            SealedStore.load(path, identities=[stranger])
        again.rekey(recipients=[stranger.recipient])
        again.save(path)
        with pytest.raises(age.NoMatchError):
            SealedStore.load(path, identities=[identity])
        with SealedStore.load(path, identities=[stranger]) as third:
            assert shows(third, "a", b"1")
        store.rekey(key)
        store.save(path)
        with pytest.raises(WrongKeyError, match="not saved for recipients"):
            SealedStore.load(path, identities=[identity])


def test_a_passphrase(path: Path) -> None:
    """It is a recipient, and an identity."""
    with age.Passphrase(secret(b"correct horse"), work_factor=2) as phrase:
        store = SealedStore.generate(recipients=[phrase])
        store["a"] = secret(b"1")
        store.save(path)
        with SealedStore.load(path, identities=[phrase]) as again:
            assert shows(again, "a", b"1")


def test_damage_of_a_wrapped_key(path: Path) -> None:
    """It is a damaged store, whatever age calls it."""
    with age.Identity.generate() as identity:
        store = SealedStore.generate(recipients=[identity.recipient])
        store.save(path)
        right = path.read_bytes()
        size = int.from_bytes(right[HEAD - 4 : HEAD], "big")
        wrapped = right[HEAD : HEAD + size]
        other = age.encrypt(bytes(31), [identity.recipient])
        long = age.encrypt(bytes(99), [identity.recipient])
        for bad in (b"", other, long, wrapped[:-1], b"x" + wrapped[1:]):
            length = len(bad).to_bytes(4, "big")
            path.write_bytes(
                right[: HEAD - 4] + length + bad + right[HEAD + size :]
            )
            with pytest.raises((DamagedStoreError, WrongKeyError)) as caught:
                SealedStore.load(path, identities=[identity])
            assert (caught.type is WrongKeyError) == (not bad)
        huge = (3 << 20).to_bytes(4, "big")
        path.write_bytes(right[: HEAD - 4] + huge + bytes(4 << 20))
        with pytest.raises(DamagedStoreError, match="its key is too long"):
            SealedStore.load(path, identities=[identity])


def test_how_a_store_is_unlocked(path: Path, key: Secret) -> None:
    """By its key or by identities: one of the two."""
    with age.Identity.generate() as identity:
        with pytest.raises(TypeError, match="one of the two"):
            SealedStore.load(path)
        with pytest.raises(TypeError, match="one of the two"):
            SealedStore.load(path, key, identities=[identity])
