"""The keys of the agent: add, find, list, remove, expire."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from secretmem.agent import publickey
from secretmem.agent.constraints import Constraints


if TYPE_CHECKING:
    from collections.abc import Iterator


class NativeKey(Protocol):
    """A private key in secret memory."""

    def close(self) -> None:
        """End it."""


def now() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def printable(text: str) -> str:
    """Return a text of a client's without what steers a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


@dataclass(slots=True, eq=False)
class Identity:
    """
    A key with what is known of it.

    ``deadline`` is in the seconds of `now`, None for a key that stays.
    """

    blob: bytes
    key: NativeKey
    comment: bytes
    constraints: Constraints = field(default_factory=Constraints)
    deadline: float | None = None
    added: float = field(default_factory=time.time)
    uses: int = 0
    used: float | None = None
    kind: bytes = field(init=False)
    fingerprint: str = field(init=False)
    name: str = field(init=False)
    """The comment as text that a terminal and a log can print."""
    label: str = field(init=False)
    """Fingerprint and name, for the log."""

    def __post_init__(self) -> None:
        """Read what the blob says."""
        self.kind = publickey.read(self.blob).kind
        self.fingerprint = publickey.fingerprint(self.blob)
        self.name = printable(self.comment.decode("utf-8", "replace"))
        self.label = f"{self.fingerprint} {self.name!r}"


class Identities:
    """All keys, in the order in which they came."""

    def __init__(self, lifetime: int | None = None) -> None:
        """Give keys without a lifetime this one, in seconds."""
        self._all: dict[bytes, Identity] = {}
        self.lifetime = lifetime
        self._first: float | None = None

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Identity]:
        self.expire()
        return iter(list(self._all.values()))

    def get(self, blob: bytes) -> Identity | None:
        """Return the key of a blob."""
        if self._first is not None:
            self.expire()
        return self._all.get(blob)

    def add(self, identity: Identity) -> None:
        """Take a key; one with the same blob gives way."""
        lifetime = identity.constraints.lifetime
        if lifetime is None:
            lifetime = self.lifetime
        # A lifetime of nothing ends at once, as in OpenSSH.
        if lifetime is not None:
            identity.deadline = now() + lifetime
        old = self._all.get(identity.blob)
        self._all[identity.blob] = identity
        if old is not None:
            old.key.close()
        self._find_first()

    def restore(self, identity: Identity) -> None:
        """Take a key back; its deadline is the one that it had."""
        self._all[identity.blob] = identity
        self._find_first()

    def remove(self, identity: Identity) -> None:
        """Drop a key."""
        self._all.pop(identity.blob, None)
        identity.key.close()
        self._find_first()

    def clear(self) -> int:
        """Drop all keys; return how many."""
        gone, self._all = list(self._all.values()), {}
        self._first = None
        for identity in gone:
            identity.key.close()
        return len(gone)

    def expire(self) -> float | None:
        """Drop keys at their end; return the seconds to the next end."""
        moment = now()
        if self._first is not None and self._first <= moment:
            for identity in list(self._all.values()):
                end = identity.deadline
                if end is not None and end <= moment:
                    self.remove(identity)
        first = self._find_first()
        return None if first is None else first - moment

    def _find_first(self) -> float | None:
        """Return the next end, and remember it."""
        ends = (each.deadline for each in self._all.values())
        self._first = min(
            (end for end in ends if end is not None), default=None
        )
        return self._first
