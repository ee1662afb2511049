"""Values that expire, that open once, and that get another key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from sealed.conftest import secret, shows
from secretmem import (
    ClosedError,
    DamagedStoreError,
    KeyLimitError,
    SealedSecret,
    SealedStore,
    Secret,
)
from secretmem._sealed import _record


if TYPE_CHECKING:
    from sealed.conftest import Clock


pytestmark = pytest.mark.needs_secretmem


def test_it_expires(store: SealedStore, clock: Clock) -> None:
    """Then it is as if deleted, in every respect."""
    store.put("short", secret(b"1"), ttl=10)
    store.put("long", secret(b"2"), ttl=20.5)
    store["ever"] = secret(b"3")
    reference, popped = store["short"], store.pop("long")
    assert reference.expires == clock.now / 1000 + 10
    assert popped.expires == clock.now / 1000 + 20.5
    assert store["ever"].expires is None
    clock.now += 9_999
    assert len(store) == 2
    assert shows(store, "short", b"1")
    clock.now += 1
    assert list(store) == ["ever"]
    assert "short" not in store
    with pytest.raises(KeyError):
        reference.open()
    assert store._table._times[0][2] != "short"
    clock.now += 10_500
    with pytest.raises(ClosedError, match="expired"):
        popped.open()
    assert shows(store, "ever", b"3")


def test_a_new_value_has_its_own_time(
    store: SealedStore, clock: Clock
) -> None:
    """The time of the old one does not delete it."""
    store.put("a", secret(b"1"), ttl=10)
    store["a"] = secret(b"2")
    store.put("b", secret(b"1"), ttl=10)
    store.put("b", secret(b"2"), ttl=30)
    clock.now += 11_000
    assert shows(store, "a", b"2")
    assert shows(store, "b", b"2")
    clock.now += 20_000
    assert list(store) == ["a"]


def test_times_do_not_pile_up(store: SealedStore, clock: Clock) -> None:
    """Of values that were replaced long before."""
    del clock
    with secret(b"1") as value:
        for _ in range(5000):
            store.put("a", value, ttl=1000)
    assert len(store._table._times) < 2000


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e12])
def test_a_time_to_live_that_is_none(store: SealedStore, ttl: float) -> None:
    """It is positive, and not for thousands of years."""
    with pytest.raises(ValueError, match="time to live"):
        store.put("a", secret(b"1"), ttl=ttl)
    assert not store


@pytest.mark.parametrize("ttl", ["5", True, b"5", timedelta(seconds=5)])
def test_a_time_to_live_of_another_type(store: SealedStore, ttl: Any) -> None:  # noqa: ANN401 - no number
    """It is a number of seconds, which has to be said."""
    with pytest.raises(TypeError, match="number of seconds, not"):
        store.put("a", secret(b"1"), ttl=ttl)
    with pytest.raises(TypeError, match="number of seconds, not"):
        SealedSecret(secret(b"1"), ttl=ttl)


def test_values_that_expire_while_they_are_listed(
    store: SealedStore, clock: Clock
) -> None:
    """The list goes on; what is not there any more does not open."""
    store.put("a", secret(b"1"), ttl=10)
    store["b"] = secret(b"2")
    items, values = iter(store.items()), iter(store.values())
    clock.now += 10_000
    assert [name for name, _ in items] == ["a", "b"]
    first, second = values
    with pytest.raises(KeyError):
        first.open()
    second.open().close()
    assert [value.name for value in store.values()] == ["b"]


def test_a_default_that_is_not_needed_is_not_used_up(
    store: SealedStore,
) -> None:
    """Also where another thread was quicker."""
    store["a"] = secret(b"1")
    once = SealedSecret(secret(b"2"), once=True)
    store.setdefault("a", once)
    store._put("a", once, None, once=False, fresh=True)
    assert shows(store, "a", b"1")
    with once.open() as opened:
        assert opened.matches(b"2")


def test_the_count_of_puts_has_an_end(store: SealedStore) -> None:
    """It does not run into what else a record says."""
    store._table.version = _record.MOST - 1
    store["a"] = secret(b"1")
    assert shows(store, "a", b"1")
    with pytest.raises(KeyLimitError, match="use a new one"):
        store["a"] = secret(b"2")
    assert shows(store, "a", b"1")


def test_it_opens_once(store: SealedStore) -> None:
    """Then it is gone, for every reference to it."""
    store.put("a", secret(b"1"), once=True)
    first, second = store["a"], store["a"]
    assert first.once
    assert list(store) == ["a"]
    with first.open() as opened:
        assert opened.matches(b"1")
    with pytest.raises(KeyError):
        second.open()
    assert not store


def test_a_failure_does_not_use_it_up(
    store: SealedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be opened later, where there is room."""
    store.put("a", secret(b"1"), once=True)
    alone = SealedSecret(secret(b"2"), once=True)

    def fail(*_args: object, **_options: object) -> Secret:
        raise secretmem.LimitError("no room", need=1, have=0)

    for sealed in (store["a"], alone):
        with monkeypatch.context() as patch:
            patch.setattr(type(store._table.sealer), "open", fail)
            with pytest.raises(secretmem.LimitError):
                sealed.open()
        sealed.open().close()


def test_one_that_is_moved_stays_what_it_is(
    store: SealedStore, clock: Clock
) -> None:
    """Its time and its number of openings go with it."""
    store.put("a", secret(b"1"), once=True, ttl=10)
    with SealedStore.generate() as other:
        other["b"] = store["a"]
        assert "a" not in store
        other["c"] = other.pop("b")
        assert other["c"].once
        assert other["c"].expires == clock.now / 1000 + 10
        assert shows(other, "c", b"1")
        assert not other


def test_one_that_cannot_be_moved_stays_where_it_is(
    store: SealedStore,
) -> None:
    """Nobody loses it."""
    store.put("a", secret(b"1"), once=True)
    other = SealedStore.generate()
    other.close()
    with pytest.raises(ClosedError):
        other["a"] = store["a"]
    assert shows(store, "a", b"1")


def test_alone(clock: Clock) -> None:
    """A SealedSecret needs no store."""
    with secret(b"1") as value:
        value_named = SealedSecret(value, name="a", ttl=10)
        once = SealedSecret(value, once=True)
    with value_named.open() as opened, value_named.open() as again:
        assert opened.name == "a"
        assert opened.matches(b"1")
        assert again == opened
    assert once.name is None
    assert once.once
    once.open().close()
    for use in (once.open, lambda: once.once):
        with pytest.raises(ClosedError, match="opens once"):
            use()
    clock.now += 10_000
    with pytest.raises(ClosedError, match="expired"):
        value_named.open()


def test_rekey(store: SealedStore, clock: Clock) -> None:
    """All is as it was, under another key."""
    store.put("a", secret(b"1"), ttl=10)
    store.put("b", secret(b"2"), once=True)
    reference, old = store["a"], dict(store._table.records)
    with SealedStore.generate_key() as key:
        store.rekey(key)
    assert list(store) == ["a", "b"]
    assert not set(old.values()) & set(store._table.records.values())
    with reference.open() as opened:
        assert opened.matches(b"1")
    assert shows(store, "b", b"2")
    assert list(store) == ["a"]
    clock.now += 10_000
    assert not store


def test_rekey_of_a_damaged_value_changes_nothing(store: SealedStore) -> None:
    """It names the value, and the others open as before."""
    store["a"] = secret(b"1")
    store["b"] = secret(b"2")
    records = store._table.records
    records["b"] = records["b"][:-1] + bytes([records["b"][-1] ^ 1])
    before, sealer = dict(records), store._table.sealer
    with pytest.raises(DamagedStoreError, match="'b'"):
        store.rekey()
    assert store._table.records == before
    assert store._table.sealer is sealer
    assert shows(store, "a", b"1")
