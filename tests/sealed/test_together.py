"""Threads, forked children, signal handlers; and little room."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sealed.conftest import secret, shows
from secretmem import ClosedError, SealedSecret, SealedStore, Secret
from support import alone, forked


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


def together(*actions: Callable[[], object]) -> None:
    """Run each in a thread; none of them may fail."""
    failed: list[BaseException] = []
    start = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        try:
            start.wait()
            action()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error


VALUES = [b"%d" % number for number in range(10)]


def put_all(store: SealedStore, rounds: int = 50) -> None:
    """Assign all values again and again."""
    secrets = [secret(value) for value in VALUES]
    for _ in range(rounds):
        for number, each in enumerate(secrets):
            store[str(number)] = each


def get_all(store: SealedStore, rounds: int = 50) -> None:
    """Open all values again and again."""
    for _ in range(rounds):
        for number, value in enumerate(VALUES):
            assert shows(store, str(number), value)


def own(store: SealedStore) -> None:
    """Use a name that no other thread uses."""
    name = str(threading.get_ident())
    with secret(b"own") as value:
        for _ in range(200):
            store.put(name, value, once=True)
            assert shows(store, name, b"own")
            assert name not in store


def save_all(store: SealedStore, key: Secret, folder: Path) -> None:
    """Save and load."""
    for number in range(10):
        path = folder / f"{threading.get_ident()}-{number}"
        store.save(path)
        with SealedStore.load(path, key) as again:
            get_all(again, 1)


def test_threads(store: SealedStore, key: Secret, tmp_path: Path) -> None:
    """Puts, gets, deletions, new keys and saves, all at once."""
    put_all(store, 1)

    def rekey() -> None:
        for _ in range(20):
            store.rekey(key)
            assert len(store) >= 10

    together(
        *[lambda: put_all(store)] * 2,
        *[lambda: get_all(store)] * 2,
        *[lambda: own(store)] * 2,
        *[lambda: save_all(store, key, tmp_path)] * 2,
        rekey,
    )
    assert len(store) == 10
    assert store.generation == 20
    get_all(store, 1)


def test_one_of_many_threads_opens_what_opens_once(
    store: SealedStore,
) -> None:
    """Exactly one, in a store and alone."""
    with secret(b"1") as value:
        for _ in range(20):
            store.put("a", value, once=True)
            alone_ = SealedSecret(value, once=True)
            for sealed in (store["a"], alone_):
                opened: list[Secret] = []

                def take(
                    sealed: SealedSecret = sealed,
                    opened: list[Secret] = opened,
                ) -> None:
                    with suppress(KeyError, ClosedError):
                        opened.append(sealed.open())

                together(*[take] * 4)
                assert len(opened) == 1
                assert opened[0] == value


def test_a_signal_handler_may_use_the_store(store: SealedStore) -> None:
    """Also where it interrupts a thread that holds the lock."""
    store["a"] = secret(b"1")
    found: list[bool] = []

    def handler(_number: int, _frame: object) -> None:
        found.append(shows(store, "a", b"1"))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with store._table._lock:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert found == [True]


def test_a_child_without_the_key(store: SealedStore) -> None:
    """ForkError for what needs the key; names are there."""
    store["a"] = secret(b"1")
    single = SealedSecret(secret(b"2"))
    for use in (
        store["a"].open,
        lambda: store.put("b", Secret.random(1, inherit=True)),
        single.open,
    ):
        ended = forked.run(use)
        assert ended.error is not None
        assert ended.error.startswith("ForkError"), ended.trace
    assert forked.run(lambda: list(store)).result() == ["a"]
    # What a child seals by itself is under a key of its own.
    assert forked.run(
        lambda: SealedSecret(secret(b"3")).open().matches(b"3")
    ).result()
    assert shows(store, "a", b"1")


def test_a_child_with_the_key() -> None:
    """It has its own copy from then on, and closes it for itself."""
    with SealedStore.generate(inherit=True) as store:
        store["a"] = secret(b"1")

        def child() -> list[str]:
            assert shows(store, "a", b"1")
            store["b"] = secret(b"2")
            store.rekey(inherit=True)
            assert shows(store, "b", b"2")
            names = list(store)
            store.close()
            return names

        assert forked.run(child).result() == ["a", "b"]
        assert list(store) == ["a"]
        assert shows(store, "a", b"1")


def held_by_another_thread() -> None:
    """Fork while another thread holds the locks of a store."""
    import os
    import threading

    from secretmem import SealedSecret, SealedStore, Secret
    from secretmem._sealed import _values

    value = Secret.from_bytes(b"1", inherit=True)
    store = SealedStore.generate(inherit=True)
    store["a"] = value
    table = store._table
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with table._lock, table._saving, _values._Process.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        with store["a"].open() as opened, table._saving:
            right = opened == value
        with SealedSecret(value).open() as opened:
            right = right and opened == value
        os._exit(0 if right else 1)
    status = os.waitpid(pid, 0)[1]
    done.set()
    thread.join()
    assert status == 0, status


def test_a_child_of_a_thread_that_held_the_lock() -> None:
    """The locks are free in the child, where that thread is not."""
    alone.passes(held_by_another_thread)


def little(limit: int, gate: str) -> None:
    """Use a store under a limit; what is too large is refused, and kept."""
    import resource

    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    import secretmem
    from secretmem import LimitError, SealedStore, Secret

    secretmem.configure(gate=gate)  # type: ignore[arg-type]  # one of two
    store = SealedStore.generate()
    with Secret.random(8000) as value:
        store["large"] = value
    names = [f"{number}" for number in range(5000)]
    for number, name in enumerate(names):
        with Secret.from_bytes(b"%d" % number) as value:
            store[name] = value
    for number in range(0, 5000, 7):
        with store[names[number]].open() as value:
            assert value.matches(b"%d" % number)
    # With the arena filled up nothing opens, and nothing is lost.
    store.put("once", Secret.from_bytes(b"1" * 32), once=True)
    kept: list[Secret] = []
    try:
        while True:
            kept.append(Secret.random(32))
    except LimitError:
        pass
    for name in ("once", "large"):
        try:
            store[name].open()
        except LimitError:
            continue
        raise AssertionError("there was room")
    kept.clear()
    with store["once"].open() as value:
        assert value.matches(b"1" * 32)
    assert "once" not in store
    assert len(store["large"].open()) == 8000
    assert secretmem.posture().locked_bytes <= limit
    print(len(store))  # noqa: T201 - the program's output


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
@pytest.mark.parametrize("gate", ["auto", "mprotect"])
def test_under_64_kib(gate: str) -> None:
    """An ordinary user, 64 KiB, and more values than would fit."""
    said = alone.passes_unprivileged(little, 64 << 10, gate, timeout=300)
    assert said.strip() == "5001"
