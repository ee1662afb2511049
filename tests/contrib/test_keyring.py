"""The library keyring, with passwords in a sealed store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from secretmem import SealedStore, Secret, SourceError, posture, sources
from secretmem.contrib.keyring import SealedKeyring


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[SealedKeyring]:
    """Let the library use one; it is kept in a file."""
    before = keyring.get_keyring()
    store = SealedStore(Secret.random(32))
    made = SealedKeyring(store, tmp_path / "passwords")
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
def test_the_librarys_calls() -> None:
    """Text in, text out; each way out is counted."""
    before = sum(posture().exports.values())
    keyring.set_password("mail", "ann", "hunter2 ü")
    assert sum(posture().exports.values()) == before
    assert keyring.get_password("mail", "ann") == "hunter2 ü"
    credential = keyring.get_credential("mail", "ann")
    assert credential is not None
    assert credential.password == "hunter2 ü"
    assert sum(posture().exports.values()) == before + 2
    assert keyring.get_password("mail", "bob") is None
    keyring.delete_password("mail", "ann")
    assert keyring.get_password("mail", "ann") is None
    with pytest.raises(PasswordDeleteError):
        keyring.delete_password("mail", "ann")


def test_secrets(ring: SealedKeyring) -> None:
    """In and out, and by the source, without text and without a warning."""
    before = posture().exports
    with Secret.from_bytes(b"\xff hunter2") as secret:
        ring.set_secret("a/b", "c", secret)
        found = ring.get_secret("a/b", "c")
        assert found == secret
        with sources.read("keyring:a%2Fb/c") as read:
            assert read == secret
            assert read.name == "a/b/c"
    assert ring.get_secret("a", "b/c") is None
    assert posture().exports == before
    with pytest.raises(SourceError) as caught:
        sources.read("keyring:a/nobody")
    assert caught.value.reason == "missing"
    with pytest.raises(TypeError, match="not str"):
        ring.set_secret("a", "b", "text")  # type: ignore[arg-type]  # that is the test


def test_the_file(tmp_path: Path) -> None:
    """Each change is saved; other values of the store stay."""
    path = tmp_path / "passwords"
    with Secret.random(32) as key:
        store = SealedStore(key)
        store["other"] = key
        SealedKeyring(store, path).set_password("mail", "ann", "hunter2")
        again = SealedKeyring(SealedStore.load(path, key), path)
        assert again.get_password("mail", "ann") == "hunter2"
        again.delete_password("mail", "ann")
        assert list(SealedStore.load(path, key)) == ["other"]
        assert b"hunter2" not in path.read_bytes()


def test_the_library_does_not_choose_it() -> None:
    """It has to be set."""
    assert SealedKeyring in KeyringBackend.get_viable_backends()
    made = keyring.backend.get_all_keyring()
    assert not any(isinstance(each, SealedKeyring) for each in made)
