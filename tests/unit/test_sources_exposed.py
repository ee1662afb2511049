"""`secretmem.sources`: those that were exposed before, which warn."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from secretmem import CopiedWarning, SourceError, sources


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem


def test_the_environment_warns_and_is_erased(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless it is to stay."""
    monkeypatch.setenv("TOKEN", "word")
    for text, stays in (("env:TOKEN?erase=no", True), ("env:TOKEN", False)):
        with pytest.warns(CopiedWarning):
            secret = sources.read(text)
        assert secret.matches("word")
        assert secret.name == "TOKEN"
        secret.close()
        assert ("TOKEN" in os.environ) is stays
        assert str(sources.parse(text)) == text


class Held(KeyringBackend):
    """A keyring in ordinary memory."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        """Know one entry, and be locked for another."""
        if service == "broken":
            raise keyring.errors.KeyringLocked("word")
        return "word" if (service, username) == ("a/b", "me") else None

    def set_password(self, *_: str) -> None:
        """Keep nothing."""


@pytest.fixture
def held() -> Iterator[None]:
    """Let the library use `Held`."""
    before = keyring.get_keyring()
    keyring.set_keyring(Held())  # type: ignore[no-untyped-call]  # theirs
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("held")
def test_the_keyring() -> None:
    """The library with a backend of ours; it warns."""
    with pytest.warns(CopiedWarning):
        secret = sources.read("keyring:a/b/me")
    assert secret.matches("word")
    assert secret.name == "a/b/me"
    secret.close()


@pytest.mark.usefixtures("held")
@pytest.mark.filterwarnings("ignore::secretmem.CopiedWarning")
@pytest.mark.parametrize(
    "text, reason",
    [("keyring:a/me", "missing"), ("keyring:broken/me", "failed")],
)
def test_a_keyring_without_it(text: str, reason: str) -> None:
    """No such entry, and a keyring that is locked."""
    with pytest.raises(SourceError) as caught:
        sources.read(text)
    assert caught.value.reason == reason


def test_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SourceError, match="not installed") as caught:
        sources.read("keyring:a/b/me")
    assert caught.value.reason == "unavailable"
    assert caught.value.remedy == "pip install keyring"
