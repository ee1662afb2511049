"""How an agent goes to sleep: it settles, seals its keys, gives way."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from secretmem import Secret, SecretmemError
from secretmem.agent import handing, logind, sealing, status
from secretmem.agent.extra import ExtraSession


if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretmem.agent.connection import Connection
    from secretmem.agent.life import Agent
    from secretmem.agent.sealing import SealingKey
    from secretmem.agent.sockets import Sockets

# Seconds that requests on their way have, and between two looks at them.
_GRACE, _LOOK = 1.0, 0.02
# Bytes of secret memory that waking up takes beside the keys.
_ROOM = 16 * 1024


@dataclass(slots=True)
class Plan:
    """What an agent needs to sleep, and to wake up again."""

    source: str
    sealing: SealingKey
    sockets: Sockets
    logs: Sequence[int]
    parent: int | None
    logind: bool


class Sleep:
    """Puts an agent to sleep, by request or when the machine will sleep."""

    def __init__(self, agent: Agent, plan: Plan) -> None:
        self._agent = agent
        self._plan = plan
        self._inhibitor: int | None = None
        self._logind: logind.Logind | None = None
        self._by_logind = False
        self.begun = False
        if plan.logind:
            self._logind = logind.Logind(
                agent.loop, self._told, self._connected
            )
            agent.loop.later(0, self._logind.connect)

    @property
    def has_logind(self) -> bool:
        """Whether logind would tell, and wait."""
        return self._inhibitor is not None

    def _connected(self) -> None:
        if self._logind is not None and self._inhibitor is None:
            self._inhibitor = self._logind.inhibit()

    def _told(self, begins: bool) -> None:  # noqa: FBT001 - the signal's value
        if begins:
            self._by_logind = True
            self.begin("logind")

    def begin(self, who: object) -> None:
        """Begin to go to sleep, as soon as this request is answered."""
        if not self.begun:
            self.begun = True
            self._agent.loop.later(0, lambda: self._pause(who))

    def _pause(self, who: object) -> None:
        self._agent.server.pause()
        self._settle(who, time.monotonic() + _GRACE)

    def _settle(self, who: object, end: float) -> None:
        if self._agent.server.settle() or time.monotonic() >= end:
            self._go(who)
        else:
            self._agent.loop.later(_LOOK, lambda: self._settle(who, end))

    def _go(self, who: object) -> None:
        """Become the program that sleeps; go on where that fails."""
        uses = self._agent.state.uses
        clients = self._agent.server.let_go()
        uses.note("sleep", str(who))
        uses.flush()
        try:
            # Who could not wake up does not go to sleep.
            Secret.random(_ROOM).close()
            key = self._plan.sealing.key
            outside = self._outside(clients)
            handing.become(sealing.seal(self._agent.state, key, outside))
        except (SecretmemError, OSError) as error:
            uses.note(f"fail to sleep ({type(error).__name__})", str(who))
            self._stay()

    def _stay(self) -> None:
        """Go on; the machine shall not wait for us."""
        logind.release(self._inhibitor)
        self._inhibitor = None
        self.begun = self._by_logind = False
        self._agent.server.resume()
        if self._logind is not None:
            self._agent.loop.later(_GRACE, self._again)

    def _again(self) -> None:
        if self._logind is not None and self._logind.there:
            try:
                self._connected()
            except OSError:
                # The next connection tries again.
                return

    def _outside(self, clients: set[Connection]) -> dict[str, Any]:
        return {
            "source": self._plan.source,
            "wrapped": self._plan.sealing.wrapped.hex(),
            "sockets": self._plan.sockets.noted(),
            "clients": [_client(each) for each in clients],
            "logs": list(self._plan.logs),
            "parent": self._plan.parent,
            "inhibitor": self._inhibitor,
            "logind": self._plan.logind,
            "by_logind": self._by_logind,
            "since": time.time(),
            "tries": 0,
            "notes": [],
            "status": status.of(self._agent.state),
        }


def _client(connection: Connection) -> dict[str, Any]:
    """Return what JSON can keep of a connection."""
    session = connection.session
    return {
        "fd": connection.fd,
        "extra": isinstance(session, ExtraSession),
        "peer": list(session.peer),
        "bindings": session.bindings.noted(),
    }
