"""
Programs: sealed values, from the key of a store to its file and back.

What is looked for is the store's key, the keys that are derived from it,
which the driver learns, and a value. The control keeps values in a dict.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.refused import refused
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALONE = "key and value have a control in live_store"


def _learn(stage: Stage, sealer: Any) -> None:  # noqa: ANN401 - a Sealer
    """Let the driver look for the keys that are derived too."""
    stage.learn(sealer._cipher._key)
    stage.learn(sealer._mac._key)


@program(
    "secretmem.SealedStore",
    "SealedStore.put",
    "SealedStore.close",
    "SealedStore.closed",
    "secretmem.SealedSecret",
    "SealedSecret.open",
    "SealedSecret.name",
    payloads=("{key}", "{plain}"),
    material="symmetric",
)
def live_store(stage: Stage) -> None:
    """Seal a value, close it, open it; the key is closed first."""
    key, value = stage.secret("{key}"), stage.secret()
    if stage.ordinary:
        values = {"name": value}
        stage.check(b"in a dict")
        stage.repeat(lambda: values["name"].matches(b"x"))
        under_signals(stage, lambda: values["name"].matches(b"x"))
        return
    from secretmem import SealedSecret, SealedStore

    store = SealedStore(key)
    _learn(stage, store._table.sealer)
    key.close()
    stage.check(b"derived")
    store.put("name", value)
    sealed = store["name"]
    assert isinstance(sealed, SealedSecret)
    assert sealed.name == "name"
    stage.check(b"sealed")
    with sealed.open() as opened:
        assert opened == value
        stage.check(b"opened")

    def both() -> None:
        store.put("again", value)
        store["again"].open().close()

    stage.repeat(both)
    under_signals(stage, both, 2)
    value.close()
    under_signals(stage, lambda: sealed.open().close(), 2)
    store.close()
    assert store.closed
    stage.end()


@program(
    "SealedSecret.once",
    "SealedSecret.expires",
    payloads=("{plain}",),
    material="symmetric",
    no_control=_ALONE,
)
def sealed_alone(stage: Stage) -> None:
    """Values without a store, under the key of the process."""
    from secretmem import SealedSecret
    from secretmem._sealed import _values

    value = stage.secret()
    kept = [SealedSecret(value), SealedSecret(value, once=True, ttl=1000)]
    sealer = _values._Process.sealer()
    stage.learn(sealer._cipher._key)
    value.close()
    stage.check(b"sealed")
    assert kept[1].once
    assert kept[1].expires
    kept[1].open().close()
    stage.check(b"opened once")

    def seal() -> None:
        with kept[0].open() as opened:
            SealedSecret(opened, once=True).open().close()

    stage.repeat(seal)
    under_signals(stage, seal, 2)
    sealer.close()
    stage.end()


@program(
    "SealedStore.generate",
    "SealedStore.generate_key",
    "SealedStore.rekey",
    "SealedStore.pop",
    "SealedStore.popitem",
    "SealedStore.setdefault",
    "SealedStore.update",
    "SealedStore.values",
    "SealedStore.items",
    "SealedStore.clear",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_ALONE,
)
def moved_values(stage: Stage) -> None:
    """From store to store, and from key to key."""
    from secretmem import SealedStore

    key, value = stage.secret("{key}"), stage.secret()
    store, other = SealedStore.generate(), SealedStore(key)
    _learn(stage, store._table.sealer)
    store.update({"a": value}, b=value)
    store.setdefault("c", value)
    value.close()
    stage.check(b"sealed")
    other["c"] = store.pop("c")
    other["b"] = store.popitem()[1]
    assert len(list(other.values())) == len(list(other.items())) == 2
    stage.check(b"moved")
    with SealedStore.generate_key() as new:
        stage.learn(new)
        other.rekey(new)
    _learn(stage, other._table.sealer)
    stage.check(b"with a new key")
    stage.repeat(other.rekey, 100)
    under_signals(stage, other.rekey)
    store.clear()
    stage.check(b"cleared")
    for each in (store, other, key):
        each.close()
    stage.end()


@program(
    "SealedStore.save",
    "SealedStore.load",
    "SealedStore.save_to",
    "SealedStore.load_from",
    "SealedStore.generation",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_ALONE,
)
def saved_store(stage: Stage) -> None:
    """To a file and back, by key and by identity; to a dict and back."""
    from secretmem import SealedStore, age

    key, value = stage.secret("{key}"), stage.secret()
    identity = age.Identity.generate()
    store = SealedStore(key, recipients=[identity.recipient])
    _learn(stage, store._table.sealer)
    store["name"] = value
    path = f"{stage.folder}/store"
    store.save(path)
    assert store.generation == 1
    there: dict[str, bytes] = {}
    store.save_to(there)
    stage.check(b"saved")
    again = SealedStore.load(path, key)
    third = SealedStore.load(path, identities=[identity])
    stage.check(b"loaded")
    assert again["name"].open() == value == third["name"].open()

    def both() -> None:
        store.save(path)
        SealedStore.load(path, key).close()
        SealedStore.load(path, identities=[identity]).close()
        store.save_to(there)
        SealedStore.load_from(there, key).close()

    stage.repeat(both, 100)
    under_signals(stage, both)
    for each in (store, again, third, identity, key, value):
        each.close()
    stage.end()


@program(
    "secretmem.WrongKeyError",
    "secretmem.DamagedStoreError",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_ALONE,
)
def refused_stores(stage: Stage) -> None:
    """Errors, kept with their tracebacks: keys, files, values."""
    from secretmem import (
        DamagedStoreError,
        SealedStore,
        Secret,
        WrongKeyError,
    )

    key, value = stage.secret("{key}"), stage.secret()
    store = SealedStore(key)
    _learn(stage, store._table.sealer)
    store["name"] = value
    path, short = f"{stage.folder}/store", f"{stage.folder}/short"
    store.save(path)
    with open(path, "rb") as file, open(short, "wb") as cut:  # noqa: PTH123 - as programs do
        cut.write(file.read()[:-1])
    records = store._table.records
    records["other"] = records["name"]
    other = Secret.random(32)

    def every() -> list[Exception]:
        return [
            *refused(WrongKeyError, lambda: SealedStore.load(path, other)),
            *refused(
                DamagedStoreError,
                lambda: SealedStore.load(short, key),
                store["other"].open,
                store.rekey,
            ),
            *refused(TypeError, store.__reduce__),
        ]

    kept = every()
    stage.check(b"refused")
    stage.repeat(every, 100)
    under_signals(stage, every)
    for each in (store, key, other, value):
        each.close()
    assert len(kept) == 5
    stage.end()


@program(
    "Secret.seal_to",
    "Secret.from_sealed",
    payloads=("{plain}",),
    material="symmetric",
    no_control="age files have a control in live_age",
)
def to_another_host(stage: Stage) -> None:
    """Encrypt to a recipient, and open what was encrypted."""
    from secretmem import Secret, age

    value, identity = stage.secret(), age.Identity.generate()
    stage.learn(identity._key.seed(Secret))
    recipient = str(identity.recipient)
    sealed = value.seal_to(recipient)
    stage.check(b"sealed")
    opened = Secret.from_sealed(sealed, identity)
    assert opened == value
    stage.check(b"opened")

    def both() -> None:
        Secret.from_sealed(value.seal_to(recipient), identity).close()

    stage.repeat(both, 200)
    under_signals(stage, both, 2)
    stranger = age.Identity.generate()
    stage.learn(stranger._key.seed(Secret))
    kept = refused(
        age.AgeError,
        lambda: Secret.from_sealed(sealed, stranger),
        lambda: Secret.from_sealed(sealed[:-1], identity),
        lambda: Secret.from_sealed(sealed[:-20] + bytes(20), identity),
    )
    stage.check(b"refused")
    for each in (value, opened, identity, stranger):
        each.close()
    assert len(kept) == 3
    stage.end()
