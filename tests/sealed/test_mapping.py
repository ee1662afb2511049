"""A store is used as a dict is."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import secretmem
from sealed.conftest import secret, shows
from secretmem import (
    ClosedError,
    DamagedStoreError,
    InvalidKey,
    SealedSecret,
    SealedStore,
    Secret,
)


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.needs_secretmem


def test_what_is_sealed_opens(store: SealedStore) -> None:
    """Into a Secret of that name, closed at the end of the block."""
    with secret(b"hunter2") as password:
        store["db"] = password
    with store["db"].open() as opened:
        assert opened.name == "db"
        assert opened.matches(b"hunter2")
    assert opened.closed
    assert isinstance(store, MutableMapping)


@pytest.mark.parametrize("size", [0, 1, 32, 4096, 70_000, 1 << 20])
def test_any_size(store: SealedStore, size: int) -> None:
    """From nothing to more than a page, and more than one area."""
    with Secret.random(size) as value:
        store["name"] = value
        with store["name"].open() as opened:
            assert opened == value


NAMES = ["", "a", "a\0b", "é", "\udc80file", "\U0001f511", "x" * 65_535]


def test_any_name(store: SealedStore, tmp_path: Any, key: Secret) -> None:  # noqa: ANN401 - a path
    """Every str is one, and comes back from a file as it was."""
    for number, name in enumerate(NAMES):
        store[name] = secret(b"%d" % number)
    assert list(store) == NAMES
    store.save(tmp_path / "store")
    with SealedStore.load(tmp_path / "store", key) as again:
        assert list(again) == NAMES
        assert all(
            shows(again, name, b"%d" % number)
            for number, name in enumerate(NAMES)
        )


class Name(str):
    """A name with more in it."""

    __slots__ = ("more",)


def test_a_name_is_kept_as_a_str(store: SealedStore) -> None:
    """What a subclass holds is not."""
    store[Name("a")] = secret(b"1")
    assert [type(name) for name in store] == [str]
    assert shows(store, Name("a"), b"1")


@pytest.mark.parametrize("name", [None, 7, b"bytes", ("a",)])
def test_a_name_that_is_none(store: SealedStore, name: Any) -> None:  # noqa: ANN401 - not a str
    """TypeError where it is assigned; nowhere is it found."""
    with pytest.raises(TypeError, match="is a str, not"):
        store[name] = secret(b"1")
    with pytest.raises(KeyError):
        store[name]
    assert name not in store
    assert len(store) == 0


def test_a_name_too_long(store: SealedStore) -> None:
    """65,535 bytes in UTF-8 are the most."""
    with pytest.raises(ValueError, match="65535 bytes in UTF-8, not 65536"):
        store["é" * 32_768] = secret(b"1")


@pytest.mark.parametrize("value", [b"bytes", "text", None, bytearray(3)])
def test_a_value_that_is_no_secret(store: SealedStore, value: Any) -> None:  # noqa: ANN401 - not a Secret
    """It was exposed already; the message says how to make one."""
    with pytest.raises(TypeError, match=r"Secret\.from_bytes"):
        store["a"] = value
    with pytest.raises(TypeError, match=r"Secret\.from_bytes"):
        SealedSecret(value)


def test_a_closed_value(store: SealedStore) -> None:
    """ClosedError; what was there stays."""
    store["a"] = secret(b"1")
    value = secret(b"2")
    value.close()
    with pytest.raises(ClosedError):
        store["a"] = value
    assert shows(store, "a", b"1")


def test_missing(store: SealedStore) -> None:
    """KeyError with the name, as of a dict."""
    for use in (
        lambda: store["none"],
        lambda: store.pop("none"),
        lambda: store.__delitem__("none"),
    ):
        with pytest.raises(KeyError) as caught:
            use()
        assert caught.value.args == ("none",)
    assert store.get("none") is None
    assert store.pop("none", 7) == 7
    assert store.pop("none", default=None) is None
    with pytest.raises(KeyError):
        store.popitem()


def test_the_methods_of_a_dict(store: SealedStore) -> None:
    """Each of them does here what it does there."""
    store.update({"a": secret(b"1")}, b=secret(b"2"))
    store.update([("c", secret(b"3"))])
    assert list(store.keys()) == ["a", "b", "c"]
    assert [value.name for value in store.values()] == ["a", "b", "c"]
    assert [name for name, _ in store.items()] == ["a", "b", "c"]
    assert store.setdefault("a", secret(b"9")).name == "a"
    assert shows(store, "a", b"1")
    assert store.setdefault("d", secret(b"4")).name == "d"
    assert shows(store, "d", b"4")
    with store.pop("b").open() as popped:
        assert popped.matches(b"2")
    name, last = store.popitem()
    assert name == "d"
    with last.open() as popped:
        assert popped.matches(b"4")
    assert len(store) == 2
    del store["a"]
    assert "a" not in store
    for each in store:
        del store[each]
    assert not store
    store["e"] = secret(b"5")
    store.clear()
    assert list(store) == []


def test_a_value_of_another_store(store: SealedStore) -> None:
    """It is opened and sealed again, without a copy elsewhere."""
    with SealedStore.generate() as other:
        other["a"] = secret(b"1")
        store["b"] = other["a"]
        store["b2"] = store["b"]
        store.update(other)
    store["c"] = SealedSecret(secret(b"3"), name="x")
    assert list(store) == ["b", "b2", "a", "c"]
    assert shows(store, "b", b"1")
    assert shows(store, "b2", b"1")
    assert shows(store, "c", b"3")


def test_a_reference_follows_its_name(store: SealedStore) -> None:
    """It opens what is there then."""
    store["a"] = secret(b"1")
    reference = store["a"]
    store["a"] = secret(b"2")
    with reference.open() as opened:
        assert opened.matches(b"2")
    del store["a"]
    with pytest.raises(KeyError):
        reference.open()


def test_equal_are_those_of_one_place(store: SealedStore) -> None:
    """What they open to is not compared without opening them."""
    value = secret(b"1")
    store["a"] = store["b"] = value
    assert store["a"] == store["a"]
    assert len({store["a"], store["a"], store["b"]}) == 2
    assert store["a"] in store.values()
    assert store["a"] != store["b"]
    assert store["a"] != SealedSecret(value, name="a")
    assert store["a"] != 1
    for other in (value, b"1", bytearray(b"1"), "1"):
        for compare in (store["a"].__eq__, lambda x: x == store["a"]):
            with pytest.raises(TypeError, match="not compared"):
                compare(other)
    assert store == store  # noqa: PLR0124 - what is tested
    with SealedStore.generate() as other_store:
        assert store != other_store


def test_a_popped_value_ends_with_the_keys(store: SealedStore) -> None:
    """It opens until the store is closed."""
    store["a"] = secret(b"1")
    popped = store.pop("a")
    store.close()
    with pytest.raises(ClosedError):
        popped.open()


def test_closed() -> None:
    """Every use raises ClosedError; a second close does nothing."""
    store = SealedStore.generate()
    store["a"] = secret(b"1")
    reference = store["a"]
    store.close()
    store.close()
    assert store.closed
    assert repr(store) == "<SealedStore closed>"
    uses: list[Callable[[], object]] = [
        lambda: store["a"],
        lambda: "a" in store,
        lambda: len(store),
        lambda: list(store),
        lambda: store.put("a", secret(b"1")),
        lambda: store.pop("a", None),
        store.popitem,
        store.clear,
        store.rekey,
        store.__enter__,
        lambda: store.save("/nonexistent/file"),
        reference.open,
        lambda: reference.once,
    ]
    for use in uses:
        with pytest.raises(ClosedError):
            use()


def test_nothing_is_left_in_secret_memory() -> None:
    """A store has two keys; closing it or losing it gives them back."""
    before = secretmem.posture().live
    store = SealedStore.generate()
    assert secretmem.posture().live == before + 2
    store["a"] = secret(b"1")
    with store["a"].open():
        assert secretmem.posture().live == before + 3
    store.close()
    assert secretmem.posture().live == before
    store = SealedStore.generate()
    store.rekey()
    assert secretmem.posture().live == before + 2
    del store
    assert secretmem.posture().live == before


def test_repr_shows_names_and_counts(store: SealedStore) -> None:
    """No value, no length, no key."""
    store["db"] = secret(b"hunter2")
    assert repr(store) == "<SealedStore of 1 values>"
    assert repr(store["db"]) == "<SealedSecret 'db'>"
    assert repr(SealedSecret(secret(b"1"))) == "<SealedSecret>"
    assert f"{store} {store['db']!s}" == f"{store!r} <SealedSecret 'db'>"


def test_it_is_not_pickled_or_copied(store: SealedStore) -> None:
    """The messages name the ways out."""
    store["a"] = secret(b"1")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"store\.save"):
            attempt(store)
        with pytest.raises(TypeError, match="seal_to"):
            attempt(store["a"])
    with pytest.raises(TypeError):
        json.dumps(store)


def test_they_cannot_be_subclassed() -> None:
    """They carry guarantees."""
    for cls in (SealedStore, SealedSecret):
        with pytest.raises(TypeError, match="subclassed"):
            type("Mine", (cls,), {})


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length(size: int) -> None:
    """It is refused; the message says how to derive one."""
    with pytest.raises(InvalidKey, match=f"has 32 bytes, not {size}; .*hkdf"):
        SealedStore(Secret.random(size))


def test_a_key_that_is_none(store: SealedStore) -> None:
    """Bytes were exposed already."""
    key: Any = bytes(32)
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        SealedStore(key)
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        store.rekey(key)


def test_a_changed_record(store: SealedStore) -> None:
    """Each bit of it is authenticated, and so are name and store."""
    store.put("a", secret(b"value"), ttl=1000)
    records = store._table.records
    right = records["a"]
    for at in range(len(right)):
        changed = bytearray(right)
        changed[at] ^= 0x10 if at else 1
        with pytest.raises(DamagedStoreError, match="'a' was changed"):
            store._table.sealer.open(bytes(changed), b"a", "a")
    records["b"] = right
    with pytest.raises(DamagedStoreError, match="'b' was changed"):
        store["b"].open()
    with SealedStore.generate() as other:
        other._table.records["a"] = right
        with pytest.raises(DamagedStoreError):
            other["a"].open()
    assert shows(store, "a", b"value")


class LikeADict(RuleBasedStateMachine):
    """A store and a dict, side by side."""

    names = st.sampled_from(["", "a", "b", "é"])
    values = st.binary(max_size=40)

    def __init__(self) -> None:
        super().__init__()
        self.store = SealedStore.generate()
        self.model: dict[str, bytes] = {}

    @rule(name=names, value=values)
    def put(self, name: str, value: bytes) -> None:
        """Assign."""
        self.store[name] = secret(value)
        self.model[name] = value

    @rule(name=names)
    def delete(self, name: str) -> None:
        """Delete what may be missing."""
        if name in self.model:
            del self.model[name]
            del self.store[name]
            return
        with pytest.raises(KeyError):
            del self.store[name]

    @rule()
    def pop_the_last(self) -> None:
        """Take the youngest."""
        if self.model:
            name, value = self.model.popitem()
            found, sealed = self.store.popitem()
            assert found == name
            with sealed.open() as opened:
                assert opened.matches(value)

    @rule()
    def rekey(self) -> None:
        """Change the key."""
        self.store.rekey()

    @invariant()
    def same(self) -> None:
        """Names in the same order, and the same values."""
        assert list(self.store) == list(self.model)
        assert len(self.store) == len(self.model)
        for name, value in self.model.items():
            assert shows(self.store, name, value)

    def teardown(self) -> None:
        """Close it."""
        self.store.close()


LikeADict.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None
)
TestLikeADict = pytest.mark.needs_secretmem(LikeADict.TestCase)
