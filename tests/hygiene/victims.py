"""Functions that fail with a secret in their variables."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secretmem import Secret, hazmat
from secretmem.crypto import Hmac
from secretmem.keys import Ed25519PrivateKey


if TYPE_CHECKING:
    from collections.abc import Callable


TEXT = "correct horse battery"
# Of no form of UTF-8, so that no text is like it.
RAW = bytes(range(0xC0, 0xD8))


class Shows:
    """An object whose text shows a secret."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Shows {TEXT}>"


class Value:
    """A value that tests know, and that none of their variables shows."""

    def __init__(self) -> None:
        # No digit twice in either half: a search needs different bytes.
        mixed = random.SystemRandom().sample
        digits = "0123456789abcdef"
        self.__text = "".join(mixed(digits, 16) + mixed(digits, 16))

    def __repr__(self) -> str:
        return "<Value>"

    def text(self) -> str:
        """The value."""
        return self.__text

    def shapes(self) -> list[str]:
        """How it may be written, whole and in part."""
        text = self.__text
        raw = bytes.fromhex(text)
        return [text[:12], text[-12:], text.upper()[:12], repr(raw)[2:-1]]

    def secret(self) -> Secret:
        """Make a Secret of it."""
        return Secret.from_bytes(self.__text.encode(), name="token")

    def shown_in(self, text: str) -> bool:
        """Tell whether a report shows it."""
        return any(shape in text for shape in self.shapes())


@dataclass
class Settings:
    """An object that holds a secret."""

    token: Any


def kept(value: Value) -> None:
    """Use a Secret as one should."""
    token = value.secret()
    seed = Secret.from_bytes(bytes.fromhex(value.text()), name="seed")
    _fail(token, {"token": token, "keys": [seed]}, Settings(token), Hmac(seed))


def _fail(token: Secret, by_name: object, settings: object, mac: Hmac) -> None:
    with token.reveal() as view:
        part = token[4:]
        raise RuntimeError(
            f"refused {token}", view.nbytes, part, by_name, settings, mac
        )


def key(value: Value) -> None:
    """Use a private key."""
    seed = Secret.from_bytes(bytes.fromhex(value.text()) * 2)
    private = Ed25519PrivateKey.from_seed(seed)
    raise RuntimeError(f"refused {private}", private)


def ordinary(value: Value) -> None:
    """Have it in a str, and in bytes: the control."""
    token = value.text()
    raw = bytes.fromhex(token)
    by_name = {"token": token, "keys": [raw]}
    settings = Settings(token)
    raise RuntimeError("refused", len(by_name), settings is None)


def exported(value: Value) -> None:
    """Export it, because a library wants a str."""
    secret = value.secret()
    token = hazmat.export_str(secret)
    headers = {"Authorization": f"Bearer {token}"}
    raise RuntimeError(f"refused {token[:16]} {len(headers)}")


def caught(victim: Callable[[Value], None], value: Value) -> BaseException:
    """Give the exception that a victim raised, with its frames."""
    try:
        victim(value)
    except RuntimeError as error:
        return error
    raise AssertionError("it did not fail")
