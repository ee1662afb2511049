"""What all connections of an agent share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from secretmem.agent.confirm import Asker
from secretmem.agent.identities import Identities
from secretmem.agent.lock import Lock
from secretmem.agent.uses import Use, Uses


if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretmem.agent.identities import Identity
    from secretmem.agent.loop import Loop, Timer
    from secretmem.agent.named import Named
    from secretmem.agent.peer import Peer
    from secretmem.agent.sleep import Sleep


@dataclass(slots=True)
class State:
    """Keys, lock, log and the loop."""

    loop: Loop
    identities: Identities
    lock: Lock
    asker: Asker
    uses: Uses
    named: dict[str, Named] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    reaper: Timer | None = None
    sleep: Sleep | None = None
    """What puts the agent to sleep, where hibernation is allowed."""

    @classmethod
    def new(cls, loop: Loop, uses: Uses, lifetime: int | None) -> State:
        """Make the state of an agent without keys."""
        return cls(loop, Identities(lifetime), Lock(loop), Asker(loop), uses)

    def clear(self) -> None:
        """Drop all keys and all other secrets."""
        self.identities.clear()
        gone, self.named = list(self.named.values()), {}
        for each in gone:
            each.close()

    def recall(self, notes: Iterable[tuple[float, str, str]]) -> None:
        """Take lines into the log of uses that were written elsewhere."""
        for when, what, who in notes:
            self.uses.last.append(Use(when, what, who, ""))

    def used(self, identity: Identity, peer: Peer) -> None:
        """Count and log a signature."""
        identity.uses += 1
        self.uses.note("sign", peer, identity)
        identity.used = self.uses.last[-1].when

    def added(self, identity: Identity, peer: Peer | str) -> None:
        """Log a key that came; end it in time."""
        self.uses.note("add", peer, identity)
        self.reap()

    def reap(self) -> None:
        """End keys whose time is over, now and later."""
        if self.reaper is not None:
            self.reaper.cancel()
            self.reaper = None
        wait = self.identities.expire()
        if wait is not None:
            # A timer does not run while the machine sleeps; look each minute.
            self.reaper = self.loop.later(min(wait, 60) + 0.01, self.reap)
