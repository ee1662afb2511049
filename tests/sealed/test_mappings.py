"""A store in a mapping: one state or the other, whenever it stops."""

from __future__ import annotations

import dbm.dumb
import shelve
from collections import UserDict
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


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


pytestmark = pytest.mark.needs_secretmem


def test_a_dict(store: SealedStore, key: Secret) -> None:
    """One item for each value, and an index."""
    there: dict[str, bytes] = {"other": b"is left alone", "sealed/x": b"too"}
    store["a"] = secret(b"1")
    store.put("b", secret(b"2"), once=True)
    store.save_to(there)
    assert len(there) == 5
    with SealedStore.load_from(there, key) as again:
        assert list(again) == ["a", "b"]
        assert again.generation == 1
        assert again["b"].once
        assert shows(again, "a", b"1")
        again["a"] = secret(b"3")
        del again["b"]
        again.save_to(there)
    assert len(there) == 4
    with SealedStore.load_from(there, key) as third:
        assert shows(third, "a", b"3")
    assert there["other"] == b"is left alone"
    assert there["sealed/x"] == b"too"


@pytest.mark.parametrize("opened", [shelve.open, dbm.dumb.open])
def test_shelve_and_dbm(
    opened: Callable[[str], Any],
    store: SealedStore,
    key: Secret,
    tmp_path: Path,
) -> None:
    """The mappings of the standard library that are files."""
    with opened(str(tmp_path / "database")) as there:
        for value in (b"1", b"2"):
            store["é"] = secret(value)
            store.save_to(there)
            assert len(there.keys()) == 2
    with (
        opened(str(tmp_path / "database")) as there,
        SealedStore.load_from(there, key) as again,
    ):
        assert shows(again, "é", b"2")


def test_two_stores_in_one(store: SealedStore, key: Secret) -> None:
    """They have their prefixes."""
    there: dict[str, bytes] = {}
    with SealedStore(key) as other:
        for each, prefix in ((store, "x/"), (other, "x/x/")):
            each["a"] = secret(prefix.encode())
            each.save_to(there, prefix=prefix)
            each["a"] = secret(prefix.encode())
            each.save_to(there, prefix=prefix)
    assert len(there) == 4
    for prefix in ("x/", "x/x/"):
        with SealedStore.load_from(there, key, prefix=prefix) as again:
            assert shows(again, "a", prefix.encode())
    with pytest.raises(KeyError):
        SealedStore.load_from(there, key)


class Stopping(UserDict[str, bytes]):
    """A mapping that ends the program at a change."""

    left = -1

    def _count(self) -> None:
        if self.left == 0:
            raise SystemExit
        self.left -= 1

    def __setitem__(self, key: str, value: bytes) -> None:
        self._count()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._count()
        super().__delitem__(key)


@pytest.mark.parametrize("rekey", [False, True])
def test_it_stops_at_any_change(
    store: SealedStore, key: Secret, *, rekey: bool
) -> None:
    """The state is the one before or the one after; the next save tidies."""
    there = Stopping()
    for name in ("a", "b", "c"):
        store[name] = secret(b"old")
    store.save_to(there)
    start = dict(there.data)
    store["a"] = secret(b"new")
    store["d"] = secret(b"new")
    del store["b"]
    new = SealedStore.generate_key()
    if rekey:
        store.rekey(new)
    states, changes = set(), 0
    while True:
        there.data, there.left = dict(start), changes
        try:
            store.save_to(there)
        except SystemExit:
            pass
        else:
            break
        states.add(_state(there, key, new))
        there.left = -1
        store.save_to(there)
        assert len(there) == 1 + 3
        changes += 1
    assert states == {
        (("a", b"old"), ("b", b"old"), ("c", b"old")),
        (("a", b"new"), ("c", b"old"), ("d", b"new")),
    }
    assert changes == (7 if rekey else 5)


def _state(there: Stopping, *keys: Secret) -> tuple[tuple[str, bytes], ...]:
    for key in keys:
        try:
            store = SealedStore.load_from(there, key)
        except WrongKeyError:
            continue
        with store:
            values = (b"old", b"new")
            return tuple(
                (name, next(v for v in values if shows(store, name, v)))
                for name in store
            )
    raise AssertionError("neither key opens it")


def test_damage(store: SealedStore, key: Secret) -> None:
    """A value that is missing, changed, exchanged, or of another type."""
    there: dict[str, Any] = {}
    store["a"] = secret(b"1")
    store["b"] = secret(b"2")
    store.save_to(there)
    right = dict(there)
    first, second = (each for each in there if each != "sealed/index")
    for damage in (
        {first: right[first][:-1]},
        {first: right[second], second: right[first]},
        {first: b""},
        {"sealed/index": right["sealed/index"][:-1]},
        {"sealed/index": b""},
    ):
        there.update(right)
        there.update(damage)
        with pytest.raises(DamagedStoreError):
            SealedStore.load_from(there, key)
    there.update(right)
    del there[first]
    with pytest.raises(DamagedStoreError, match="'a' is missing"):
        SealedStore.load_from(there, key)
    there.update(right)
    there[first] = "text"
    with pytest.raises(TypeError, match="a str where bytes"):
        SealedStore.load_from(there, key)
    # And a save mends what was damaged.
    store.save_to(there)
    assert there[first] == right[first]


def test_a_file_is_no_index(
    store: SealedStore, key: Secret, tmp_path: Path
) -> None:
    """The two are told apart, though they look alike."""
    there: dict[str, bytes] = {}
    store.save(tmp_path / "store")
    store.save_to(there)
    (tmp_path / "index").write_bytes(there["sealed/index"])
    there["sealed/index"] = (tmp_path / "store").read_bytes()
    with pytest.raises(DamagedStoreError, match="no sealed store"):
        SealedStore.load_from(there, key)
    with pytest.raises(DamagedStoreError, match="no sealed store"):
        SealedStore.load(tmp_path / "index", key)


def test_recipients() -> None:
    """They open it here too."""
    there: dict[str, bytes] = {}
    with age.Identity.generate() as identity:
        store = SealedStore.generate(recipients=[identity.recipient])
        store["a"] = secret(b"1")
        store.save_to(there)
        with SealedStore.load_from(there, identities=[identity]) as again:
            assert shows(again, "a", b"1")


def test_a_mapping_that_fails(store: SealedStore, key: Secret) -> None:
    """Its own error comes out, and the save does not count."""
    there = Stopping()
    store.save_to(there)
    store["a"] = secret(b"1")
    there.left = 0
    with pytest.raises(SystemExit):
        store.save_to(there)
    assert store.generation == 1
    with SealedStore.load_from(there, key) as again:
        assert not again
