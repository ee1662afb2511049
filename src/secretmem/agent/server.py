"""Accepts connections, and bounds what they can take."""

from __future__ import annotations

import resource
import select
import time
from typing import TYPE_CHECKING

from secretmem.agent import peer
from secretmem.agent.connection import Connection
from secretmem.agent.session import Session


if TYPE_CHECKING:
    import socket

    from secretmem.agent.loop import Loop
    from secretmem.agent.state import State


# Connections at a time; beyond, the one that was silent longest ends.
_MOST_CONNECTIONS = 4096
# Connections that are accepted before others are served again.
_AT_ONCE = 16
# Descriptors that are not connections.
_SPARE = 64
# Bytes of messages and replies on their way, all together; beyond, the oldest
# ends.
_MOST_HELD = 4 * 1024 * 1024
# The part of the limit of locked memory for messages that hold secrets, so
# that whoever sends many of them and ends none keeps nobody from unlocking.
_SHARE = 4
# Seconds that a message or a reply may take from its first byte to its last.
_PATIENCE = 30.0


class Server:
    """The connections of one agent."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.loop: Loop = state.loop
        self._connections: set[Connection] = set()
        self._listeners: list[tuple[socket.socket, type[Session]]] = []
        # Those that nothing is read from any more; None while it serves.
        self._resting: set[Connection] | None = None
        # Those with something on its way, the oldest first, and its end.
        self._partial: dict[Connection, float] = {}
        self._held = 0
        self._locked = 0
        self._most_locked = _room_for_messages()
        self._ticks = 0
        self._most = _room_for_connections()

    def listen(
        self, listener: socket.socket, kind: type[Session] = Session
    ) -> None:
        """Accept connections on a socket."""
        listener.settimeout(0)
        self._listeners.append((listener, kind))
        self._watch(listener, kind)

    def _watch(self, listener: socket.socket, kind: type[Session]) -> None:
        self.loop.watch(
            listener.fileno(),
            select.EPOLLIN,
            lambda _: self._accept_all(listener, kind),
        )

    def _accept_all(
        self, listener: socket.socket, kind: type[Session]
    ) -> None:
        """Accept those who wait, but serve others in between."""
        for _ in range(_AT_ONCE):
            try:
                connection, _address = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # Out of descriptors, or the client has gone again.
                self._make_room()
                return
            self._accept(connection, kind)

    def _accept(self, connection: socket.socket, kind: type[Session]) -> None:
        client = peer.of(connection)
        if not peer.is_allowed(client):
            self.state.uses.note("turn away", client)
            connection.close()
            return
        if len(self._connections) >= self._most:
            self._make_room()
        self.adopt(connection, kind(self.state, client))

    def adopt(self, connection: socket.socket, session: Session) -> None:
        """Serve a connection."""
        connection.settimeout(0)
        made = Connection(self, connection, session)
        self.heard(made)
        self._connections.add(made)
        self.loop.watch(made.fd, select.EPOLLIN, made.ready)

    def _make_room(self) -> None:
        """End the connection that was silent longest."""
        if self._connections:
            min(self._connections, key=lambda each: each.seen).close()

    # -- a pause --------------------------------------------------------------

    def pause(self) -> None:
        """Accept no more: whoever connects waits in the kernel."""
        self._resting = set()
        for listener, _ in self._listeners:
            self.loop.forget(listener.fileno())

    def settle(self) -> bool:
        """Read no more where nothing is on its way; tell if that is all."""
        resting = self._resting
        if resting is None:
            return False
        for connection in self._connections - resting:
            if connection.at_rest:
                resting.add(connection)
                self.loop.forget(connection.fd)
        return len(resting) == len(self._connections)

    def let_go(self) -> set[Connection]:
        """Refuse what still takes time, end what is not whole; return all."""
        for connection in self._connections - (self._resting or set()):
            connection.refuse()
        if not self.settle():
            for connection in self._connections - (self._resting or set()):
                connection.close()
        return set(self._connections)

    def resume(self) -> None:
        """Serve again."""
        resting, self._resting = self._resting, None
        for listener, kind in self._listeners:
            self._watch(listener, kind)
        for connection in resting or ():
            self.loop.watch(connection.fd, select.EPOLLIN, connection.ready)

    # -- what the connections tell --------------------------------------------

    def heard(self, connection: Connection) -> None:
        """Note that a client is not silent."""
        self._ticks += 1
        connection.seen = self._ticks

    def partial(
        self, connection: Connection, held: int, locked: int = 0
    ) -> None:
        """
        Note that a message or a reply is on its way.

        Args:
            connection: Whose.
            held: Its bytes in ordinary memory.
            locked: Its bytes in secret memory.
        """
        self._count(connection, held, locked)
        if connection not in self._partial:
            if not self._partial:
                self.loop.later(1.0, self._end_slow)
            self._partial[connection] = time.monotonic() + _PATIENCE
        while self._held > _MOST_HELD and len(self._partial) > 1:
            next(iter(self._partial)).close()
        while self._locked > max(self._most_locked, locked):
            others = (c for c in self._partial if c.locked)
            next(c for c in others if c is not connection).close()

    def _count(self, connection: Connection, held: int, locked: int) -> None:
        self._held += held - connection.held
        connection.held = held
        self._locked += locked - connection.locked
        connection.locked = locked

    def whole(self, connection: Connection) -> None:
        """Note that the message or the reply is whole."""
        self.heard(connection)
        self._count(connection, 0, 0)
        self._partial.pop(connection, None)

    def gone(self, connection: Connection) -> None:
        """Forget a connection that ends."""
        self.whole(connection)
        self._connections.discard(connection)
        if self._resting is not None and connection in self._resting:
            self._resting.remove(connection)
        else:
            self.loop.forget(connection.fd)

    def _end_slow(self) -> None:
        moment = time.monotonic()
        for connection, end in list(self._partial.items()):
            if end > moment:
                break
            connection.close()
        if self._partial:
            self.loop.later(1.0, self._end_slow)


def _room_for_messages() -> int:
    """Return the bytes of secret memory for messages on their way."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit == resource.RLIM_INFINITY:
        return _MOST_HELD
    return min(limit // _SHARE, _MOST_HELD)


def _room_for_connections() -> int:
    """Ask for as many descriptors as are needed; return what there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    room = wanted if soft == resource.RLIM_INFINITY else soft
    return max(min(room - _SPARE, _MOST_CONNECTIONS), 1)
