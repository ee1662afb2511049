"""What an agent seals: opened by its key, and not when it was changed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from secretmem import Secret
from secretmem.agent import loading, sealing
from secretmem.agent.identities import Identity
from secretmem.agent.loop import Loop
from secretmem.agent.sealing import Box, BoxError
from secretmem.agent.state import State
from secretmem.agent.uses import Uses
from secretmem.crypto.errors import InvalidTag
from secretmem.keys import Ed25519PrivateKey


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem


def _state() -> State:
    loop = Loop()
    return State.new(loop, Uses(loop), None)


@pytest.fixture
def key() -> Secret:
    """Give a key that seals."""
    return Secret.random(32)


@pytest.fixture
def box(key: Secret, keys: dict[str, Path]) -> Box:
    """Give the box of an agent with two keys, which is locked."""
    state = _state()
    for kind in ("ed25519", "p256"):
        state.identities.add(loading.load_file(keys[kind]))
    assert state.lock.lock(Secret.from_bytes(b"lock"))
    return sealing.seal(state, key, {"fd": 7})


def _opened(box: Box, key: Secret) -> list[Identity]:
    state = _state()
    sealing.restore(state, Box.read(box.written()), key)
    return list(state.identities)


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_there_and_back(box: Box, key: Secret, keys: dict[str, Path]) -> None:
    """The same keys, in their order."""
    found = [identity.blob for identity in _opened(box, key)]
    expected = [loading.load_file(keys[kind]) for kind in ("ed25519", "p256")]
    assert found == [identity.blob for identity in expected]
    assert Box.read(box.written()).outside["fd"] == 7


def test_keys_that_come_later_have_the_same_lifetime(
    key: Secret, keys: dict[str, Path]
) -> None:
    """Of ``agent -t``: one that is added after a sleep ends, too."""
    before, after = _state(), _state()
    before.identities.lifetime = 3600
    before.identities.add(loading.load_file(keys["p256"]))
    (left,) = before.identities
    sealing.restore(after, sealing.seal(before, key, {}), key)
    (same,) = after.identities
    assert same.deadline == left.deadline is not None
    after.identities.add(loading.load_file(keys["ed25519"]))
    assert all(each.deadline is not None for each in after.identities)


def test_what_was_changed(box: Box, key: Secret) -> None:
    """A byte of the head, of a part; parts that changed their places."""
    first, second, third, *rest = box.parts
    for changed in (
        dataclasses.replace(
            box, head=box.head.replace(b'"uses": 0', b'"uses": 1', 1)
        ),
        dataclasses.replace(box, parts=[first, third, second, *rest]),
        dataclasses.replace(box, parts=[_flipped(first, 30), *box.parts[1:]]),
        dataclasses.replace(
            box, parts=[first, _flipped(second, 40), third, *rest]
        ),
        dataclasses.replace(
            box, parts=[first, _flipped(second, 0), third, *rest]
        ),
    ):
        with pytest.raises(InvalidTag):
            _opened(changed, key)


def test_another_key(box: Box) -> None:
    """Only the key that sealed it opens a box."""
    with pytest.raises(InvalidTag):
        _opened(box, Secret.random(32))


def test_dropped_keys(box: Box, key: Secret) -> None:
    """They do not come back; the lock does."""
    box.drop()
    state = _state()
    sealing.restore(state, box, key)
    assert len(state.identities) == 0
    assert state.lock.locked


def test_no_key(key: Secret) -> None:
    """The box of an agent without keys is authenticated too."""
    box = sealing.seal(_state(), key, {})
    assert _opened(box, key) == []
    box.head = box.head.replace(b'"lifetime": null', b'"lifetime": 1234')
    with pytest.raises(InvalidTag):
        _opened(box, key)


def test_the_copy_of_the_key() -> None:
    """It is opened by the passphrase alone."""
    passphrase = Secret.from_bytes(b"passphrase")
    made = sealing.SealingKey.new(passphrase)
    again = sealing.SealingKey.opened(made.wrapped, passphrase)
    assert again.key == made.key


@pytest.mark.parametrize("cut", [0, 3, 20, -1])
def test_a_damaged_box(cut: int, box: Box) -> None:
    """It is said to be one."""
    with pytest.raises(BoxError):
        Box.read(box.written()[:cut])


def test_another_version(box: Box) -> None:
    """What another version wrote is not guessed at."""
    box.outside["schema"] = 0
    with pytest.raises(BoxError, match="version"):
        Box.read(box.written())


def test_an_ed25519_key_is_the_same(key: Secret) -> None:
    """Its public half is computed anew from its seed."""
    private = Ed25519PrivateKey.generate()
    state = _state()
    native = private._key
    blob = loading.blob_of(native)
    state.identities.add(Identity(blob, native, b"comment"))
    (found,) = _opened(sealing.seal(state, key, {}), key)
    assert loading.blob_of(found.key) == blob
