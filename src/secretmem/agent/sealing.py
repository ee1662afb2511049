"""
The agent's keys for the time without secret memory: sealed, and opened.

What is public is written as JSON. Each secret is encrypted for itself, by
XChaCha20-Poly1305 with a random nonce; its associated data are its place and
the digest of the JSON, so that neither can be exchanged. The key for that is
random and lies in secret memory. For afterwards there is a copy of it, an age
file for the passphrase; so the passphrase itself is not kept, and sealing
takes no time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secretmem import Secret, _policy, age
from secretmem.agent import constraints, wire
from secretmem.agent.identities import Identity
from secretmem.agent.loading import load_key
from secretmem.agent.named import Named, worker
from secretmem.agent.uses import Use
from secretmem.agent.wire import Fields, WireError
from secretmem.crypto.aead import XChaCha20Poly1305


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from secretmem import _native
    from secretmem.agent.state import State
else:
    _native = _policy.bind()

SCHEMA = 1
_KEY = 32
_LABEL = b"secretmem agent, asleep: "
_SEED, _PKCS8 = "seed", "pkcs8"


class BoxError(ValueError):
    """What was handed over is not what this version writes."""


@dataclass(slots=True)
class Box:
    """
    A sealed agent.

    ``outside`` is what the process needs while it sleeps: descriptors, the
    wrapped key. ``head`` is the authenticated JSON, ``parts`` are the sealed
    secrets; the first has no content and stands for ``head`` alone.
    """

    outside: dict[str, Any]
    head: bytes
    parts: list[bytes] = field(default_factory=list)

    def written(self) -> bytes:
        """Encode it."""
        outside = json.dumps({"schema": SCHEMA, **self.outside}).encode()
        return wire.strings(outside, self.head, *self.parts)

    @classmethod
    def read(cls, data: bytes) -> Box:
        """
        Decode what `written` has made.

        Raises:
            BoxError: It is damaged, or another version's.
        """
        try:
            fields = Fields(data)
            outside, head = json.loads(fields.string()), fields.string()
            parts = []
            while fields.left:
                parts.append(fields.string())
        except (WireError, ValueError) as error:
            raise BoxError(str(error)) from None
        if outside.get("schema") != SCHEMA:
            raise BoxError("another version of this program has written it")
        return cls(outside, head, parts)

    def drop(self) -> None:
        """Forget all keys and secrets, but not the lock."""
        count = json.loads(self.head)["dropped_with_keys"]
        self.parts[1 : 1 + count] = [b""] * count


@dataclass(slots=True)
class SealingKey:
    """What seals: the key, and its copy for who has the passphrase."""

    key: Secret
    wrapped: bytes

    @classmethod
    def new(cls, passphrase: Secret) -> SealingKey:
        """
        Make one.

        Raises:
            LimitError: As for every Secret.
        """
        key = Secret.random(_KEY, inherit=False)
        wrapped = age.encrypt(key, [age.Passphrase(passphrase)])
        return cls(key, wrapped)

    @classmethod
    def opened(cls, wrapped: bytes, passphrase: Secret) -> SealingKey:
        """
        Open the copy.

        Raises:
            NoMatchError: It is for another passphrase.
            AgeError, LimitError: It is damaged; there is no memory.
        """
        key = age.decrypt(wrapped, [age.Passphrase(passphrase)])
        return cls(key, wrapped)


def seal(state: State, key: Secret, outside: dict[str, Any]) -> Box:
    """
    Seal the keys of an agent, which keeps them.

    Raises:
        LimitError: There is no memory to read a key.
    """
    identities = list(state.identities)
    named = list(state.named.values())
    head = {
        "lifetime": state.identities.lifetime,
        "started": state.started,
        "identities": [_noted(each) for each in identities],
        "named": [
            [each.name, each.purpose, each.exported, each.uses]
            for each in named
        ],
        "lock": state.lock.noted(),
        "uses": [
            [use.when, use.what, str(use.who), use.key]
            for use in state.uses.last
        ],
        "dropped_with_keys": len(identities) + len(named),
    }
    box = Box(outside, json.dumps(head).encode())
    cipher = XChaCha20Poly1305(key)
    box.parts.append(_sealed(cipher, box, b""))
    for secret in _secrets(state, identities, named):
        with secret as plain:
            box.parts.append(_sealed(cipher, box, plain))
    return box


def _secrets(
    state: State, identities: list[Identity], named: list[Named]
) -> Iterator[AbstractContextManager[Secret]]:
    """Give each secret, in the order in which they are opened."""
    for identity in identities:
        key: Any = identity.key
        if isinstance(key, _native.Ed25519Base):
            yield key.seed(Secret)
        else:
            yield key.pkcs8(Secret)
    # These stay open.
    for each in named:
        yield nullcontext(each.secret)
    if state.lock.passphrase is not None:
        yield nullcontext(state.lock.passphrase)


def _sealed(
    cipher: XChaCha20Poly1305, box: Box, plain: Secret | bytes
) -> bytes:
    nonce = os.urandom(cipher.NONCE_SIZE)
    return nonce + cipher.encrypt(nonce, plain, _bound(box, len(box.parts)))


def _bound(box: Box, place: int) -> bytes:
    """Return the associated data of a part."""
    return _LABEL + hashlib.sha256(box.head).digest() + wire.u32(place)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _noted(identity: Identity) -> dict[str, Any]:
    """Return what is public of a key."""
    quick = isinstance(identity.key, _native.Ed25519Base)
    return {
        "form": _SEED if quick else _PKCS8,
        "blob": _text(identity.blob),
        "comment": _text(identity.comment),
        "constraints": _text(identity.constraints.encoded),
        "deadline": identity.deadline,
        "added": identity.added,
        "uses": identity.uses,
        "used": identity.used,
    }


def restore(state: State, box: Box, key: Secret) -> None:
    """
    Open a box into an agent without keys.

    Raises:
        InvalidTag: It was sealed by another key, or changed.
        LimitError: There is no memory for all keys.
    """
    cipher = XChaCha20Poly1305(key)

    def opened(place: int) -> Secret | None:
        part = box.parts[place]
        if not part:
            return None
        nonce, rest = part[: cipher.NONCE_SIZE], part[cipher.NONCE_SIZE :]
        return cipher.decrypt_to_secret(nonce, rest, _bound(box, place))

    cipher.decrypt(
        box.parts[0][: cipher.NONCE_SIZE],
        box.parts[0][cipher.NONCE_SIZE :],
        _bound(box, 0),
    )
    _fill(state, json.loads(box.head), opened)


def _fill(
    state: State,
    head: dict[str, Any],
    opened: Callable[[int], Secret | None],
) -> None:
    place = 1
    for noted in head["identities"]:
        with opened(place) or nullcontext() as plain:
            if plain is not None:
                state.identities.restore(_identity(noted, plain))
        place += 1
    for name, purpose, exported, uses in head["named"]:
        secret = opened(place)
        if secret is not None:
            made = worker(purpose)(secret)
            named = Named(name, purpose, secret, made, exported, uses)
            state.named[name] = named
        place += 1
    if head["lock"] is not None:
        state.lock.restore(opened(place), head["lock"])
    state.started = head["started"]
    # Of the keys that come later; those restored above have their own ends.
    state.identities.lifetime = head["lifetime"]
    for when, what, who, label in head["uses"]:
        state.uses.last.append(Use(when, what, who, label))


def _identity(noted: dict[str, Any], plain: Secret) -> Identity:
    blob, comment, limits = (
        base64.b64decode(noted[name])
        for name in ("blob", "comment", "constraints")
    )
    key: Any
    if noted["form"] == _SEED:
        key = _native.Ed25519Base.from_seed(plain, inherit=False)
    else:
        key = load_key(plain)
    return Identity(
        blob,
        key,
        comment,
        constraints.read(limits),
        noted["deadline"],
        noted["added"],
        noted["uses"],
        noted["used"],
    )
