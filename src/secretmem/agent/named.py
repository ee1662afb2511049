"""
Secrets for more than ssh, each bound to one purpose.

They are given at the start and reached over the second socket only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secretmem import age, sources
from secretmem.agent import loading, publickey
from secretmem.crypto import Hmac, aead


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from secretmem import Secret


CIPHERS = {
    "aes-gcm": aead.AESGCM,
    "aes-gcm-siv": aead.AESGCMSIV,
    "chacha20-poly1305": aead.ChaCha20Poly1305,
    "xchacha20-poly1305": aead.XChaCha20Poly1305,
}
MACS = {f"hmac-{name}": name for name in ("sha256", "sha384", "sha512")}
SIGN, AGE = "sign", "age"
PURPOSES = (*CIPHERS, *MACS, SIGN, AGE)


class NamedError(ValueError):
    """A secret on the command line that is none; the text says why."""


@dataclass(slots=True, eq=False)
class Named:
    """
    A secret with its purpose.

    ``key`` is what works with it: a cipher, an Hmac, a private key, or age
    identities.
    """

    name: str
    purpose: str
    secret: Secret
    key: Any
    exported: bool
    uses: int = 0

    def close(self) -> None:
        """End it."""
        self.secret.close()
        if self.purpose == SIGN:
            self.key.close()
        for each in self.key if self.purpose == AGE else ():
            each.close()


def read_all(
    texts: Iterable[str], allowed: Collection[str]
) -> dict[str, Named]:
    """
    Read all secrets of the command line, by name.

    Raises:
        NamedError: As `read`; two have one name, or ``allowed`` names none.
        SecretmemError, OSError: As `read`.
    """
    texts = list(texts)
    check(texts, allowed)
    return {each.name: each for each in (read(t, allowed) for t in texts)}


def check(texts: Iterable[str], allowed: Collection[str]) -> None:
    """
    Look at the command line, before anything is read.

    Raises:
        NamedError: As `read_all`.
    """
    names = [_parts(text)[0] for text in texts]
    for name in names:
        if names.count(name) > 1:
            raise NamedError(f"two secrets are called {name!r}")
    for name in allowed:
        if name not in names:
            raise NamedError(f"--allow-export names no secret: {name!r}")


def _parts(text: str) -> tuple[str, str, str]:
    name, equals, rest = text.partition("=")
    purpose, colon, source = rest.partition(":")
    if not (name and equals and colon and name.isprintable()):
        raise NamedError(f"a secret is NAME=PURPOSE:SOURCE, not {text!r}")
    if purpose not in PURPOSES:
        raise NamedError(
            f"{purpose!r} is no purpose; there are {', '.join(PURPOSES)}"
        )
    return name, purpose, source


def read(text: str, allowed: Collection[str]) -> Named:
    """
    Read ``NAME=PURPOSE:SOURCE``; the source as in `secretmem.sources`.

    Args:
        text: What the command line has.
        allowed: Names whose secret may be handed over.

    Raises:
        NamedError: It is written in another way.
        SecretmemError, OSError: The secret cannot be read or used.
    """
    name, purpose, source = _parts(text)
    secret = sources.read(source, name=name)
    try:
        key = worker(purpose)(secret)
    except BaseException:
        secret.close()
        raise
    return Named(name, purpose, secret, key, name in allowed)


def worker(purpose: str) -> Callable[[Secret], Any]:
    """Return what makes the ``key`` of a secret with this purpose."""
    if purpose in CIPHERS:
        return CIPHERS[purpose]
    if purpose in MACS:
        return lambda secret: Hmac(secret, MACS[purpose])
    return loading.load_key if purpose == SIGN else age.load_identities


def kind_of(named: Named) -> bytes:
    """Return the type of a private key, as ssh names it."""
    return publickey.read(loading.blob_of(named.key)).kind
