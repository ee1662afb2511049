"""
One connection: frames in, replies out.

Five bytes are read first, the length and the number of a message. Then it
is known whether the rest is secret; if so it goes from the socket straight
into secret memory, piece by piece as it comes. Nothing is read ahead.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from secretmem import Secret, SecretmemError, _policy
from secretmem.agent import messages, wire
from secretmem.agent.reply import HandedOver, HiddenReply


if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from secretmem import _native
    from secretmem.agent.server import Server
    from secretmem.agent.session import Later, Reply, Session
else:
    _native = _policy.bind()


_HEAD = 5
_LENGTH = 4
_PIECE = 64 * 1024
# Bytes that a message takes in secret memory beside its content.
_SLOT = 128

_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
# A client that has shut down its sending side alone still wants its reply.
_HUNG_UP = select.EPOLLHUP | select.EPOLLERR


class Broken(Exception):  # noqa: N818 - not an error of ours
    """The client sends what cannot be answered; the connection ends."""


class Plain:
    """A message without a secret, on its way."""

    __slots__ = ("_pieces", "_size", "held")

    def __init__(self, size: int, first: bytes = b"") -> None:
        self._size = size
        self._pieces = [first]
        self.held = len(first)

    def read(self, connection: socket.socket) -> bool:
        """Read once; tell whether the message is whole."""
        left = self._size - self.held
        if left:
            data = connection.recv(min(left, _PIECE))
            if not data:
                raise Broken
            self._pieces.append(data)
            self.held += len(data)
        return self.held == self._size

    def take(self) -> bytes:
        """Return the message."""
        return b"".join(self._pieces)

    def drop(self) -> None:
        """Forget what has come."""
        self._pieces.clear()


class Hidden:
    """A message with a secret, on its way into secret memory."""

    __slots__ = ("_intake",)

    def __init__(self, size: int) -> None:
        self._intake = _native.IntakeBase(size)

    @property
    def held(self) -> int:
        """Bytes of secret memory that it takes."""
        return self._intake.room

    def read(self, connection: socket.socket) -> bool:
        """Read what is there; tell whether the message is whole."""
        return self._intake.read(connection.fileno())

    def take(self) -> Secret:
        """Return the message as a Secret."""
        return self._intake.finish(Secret, None)

    def drop(self) -> None:
        """Wipe what has come."""
        self._intake.close()


class Connection:
    """A client's connection."""

    def __init__(
        self, server: Server, connection: socket.socket, session: Session
    ) -> None:
        self._server = server
        self._socket = connection
        self._session = session
        self._head = b""
        self._kind = 0
        self._body: Plain | Hidden | None = None
        self._out = b""
        self._hidden: HiddenReply | HandedOver | None = None
        self._take_back: Callable[[], None] | None = None
        # Requests that were refused before their reply came.
        self._refused = 0
        self.held = 0
        self.locked = 0
        self.seen = 0

    @property
    def fd(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    @property
    def session(self) -> Session:
        """What the connection may ask."""
        return self._session

    @property
    def at_rest(self) -> bool:
        """Whether it is between a reply and the next message."""
        return (
            self._take_back is None
            and self._body is None
            and self._hidden is None
            and not self._head
            and not self._out
        )

    def refuse(self) -> None:
        """Answer a request that still takes time: no."""
        take_back = self._take_back
        if take_back is not None:
            self._refused += 1
            take_back()
            self._finish(messages.FAILURE)

    def ready(self, events: int) -> None:
        """Do what the socket is ready for."""
        try:
            if self._take_back is not None:
                # Busy: only the end of the client is of interest.
                self._check(events)
            elif self._hidden is not None:
                self._write_hidden(self._hidden)
            elif self._out:
                self._write(b"")
            elif events & _IN:
                self._read()
            else:
                self._check(events)
        except BlockingIOError:
            return
        except (Broken, EOFError, OSError, SecretmemError):
            self.close()
        except Exception as error:  # noqa: BLE001 - the others go on
            self._fail(error)

    def _check(self, events: int) -> None:
        """Look whether the client has ended."""
        if events & _HUNG_UP:
            raise Broken

    # -- reading --------------------------------------------------------------

    def _read(self) -> None:
        if self._body is None:
            self._read_head()
        else:
            self._read_body(self._body)

    def _read_head(self) -> None:
        head = self._head
        want = _HEAD if len(head) < _HEAD else _HEAD + _LENGTH
        data = self._socket.recv(want - len(head))
        if not data:
            raise Broken
        head += data
        if len(head) < want:
            # No message is empty; nothing more may come of one.
            if head == bytes(_LENGTH):
                raise Broken
            self._head = head
            self._partial()
            return
        size = int.from_bytes(head[:_LENGTH], "big") - 1
        kind = head[_LENGTH]
        if not 0 <= size < messages.MOST_MESSAGE:
            raise Broken
        self._kind = kind
        if kind not in messages.SECRET:
            self._begin_plain(size)
        elif kind in messages.PASSPHRASES:
            self._begin_passphrase(head, size)
        else:
            self._begin(Hidden(size))

    def _begin_plain(self, size: int) -> None:
        """Most messages are here at once."""
        self._head = b""
        try:
            first = self._socket.recv(min(size, _PIECE)) if size else b""
        except BlockingIOError:
            self._begin(Plain(size))
            return
        if len(first) == size:
            if self.held or self.locked:
                self._whole()
            else:
                self._server.heard(self)
            self._answer(self._session.handle(self._kind, first))
            return
        if not first:
            raise Broken
        self._begin(Plain(size, first))

    def _begin_passphrase(self, head: bytes, size: int) -> None:
        """The length of the passphrase is read apart: it is public."""
        if size < _LENGTH:
            raise Broken
        if len(head) == _HEAD:
            self._head = head
            self._partial()
            self._read_head()
            return
        length = int.from_bytes(head[_HEAD:], "big")
        if length != size - _LENGTH or length > messages.MOST_PASSPHRASE:
            raise Broken
        self._begin(Hidden(length))

    def _begin(self, body: Plain | Hidden) -> None:
        self._head = b""
        self._body = body
        self._partial()
        self._read_body(body)

    def _read_body(self, body: Plain | Hidden) -> None:
        if not body.read(self._socket):
            self._partial()
            return
        self._body = None
        self._whole()
        if isinstance(body, Hidden):
            secret = body.take()
            self._answer(self._session.handle_secret(self._kind, secret))
        else:
            self._answer(self._session.handle(self._kind, body.take()))

    def _partial(self) -> None:
        """Tell the server that a message is on its way."""
        body = self._body
        if isinstance(body, Hidden):
            self._server.partial(self, 0, body.held + _SLOT)
        else:
            held = 0 if body is None else body.held
            self._server.partial(self, len(self._head) + held)

    def _whole(self) -> None:
        self._server.whole(self)

    # -- replying -------------------------------------------------------------

    def _answer(self, reply: Reply) -> None:
        if isinstance(reply, bytes):
            self._write(wire.frame(reply))
        elif isinstance(reply, HiddenReply | HandedOver):
            self._hidden = reply
            self._write_hidden(reply)
        else:
            self._wait_for(reply)

    def _wait_for(self, later: Later) -> None:
        done, refused = False, self._refused

        def reply(answer: Reply) -> None:
            nonlocal done
            done = True
            if self._refused == refused:
                self._finish(answer)

        self._take_back = _nothing
        # A client that ends is told without being asked for.
        self._server.loop.change(self.fd, 0)
        take_back = later(reply)
        if not done and self._take_back is _nothing:
            self._take_back = take_back

    def _finish(self, answer: Reply) -> None:
        """Reply to a request that took time."""
        if self._socket.fileno() < 0:
            return
        self._take_back = None
        try:
            self._server.loop.change(self.fd, _IN)
            self._answer(answer)
        except (OSError, SecretmemError):
            self.close()
        except Exception as error:  # noqa: BLE001 - the others go on
            self._fail(error)

    def _write_hidden(self, reply: HiddenReply | HandedOver) -> None:
        """Send from secret memory; what does not fit waits."""
        try:
            done = reply.send(self._socket)
        except BlockingIOError:
            done = False
        if done:
            self._hidden = None
            self._whole()
        else:
            self._server.partial(self, 0, reply.room)
        self._server.loop.change(self.fd, _IN if done else _OUT)

    def _write(self, data: bytes) -> None:
        out = self._out + data if self._out else data
        try:
            sent = self._socket.send(out)
        except BlockingIOError:
            sent = 0
        if sent == len(out):
            if self._out:
                self._out = b""
                self._whole()
                self._server.loop.change(self.fd, _IN)
            return
        if not self._out:
            self._server.loop.change(self.fd, _OUT)
        self._out = out[sent:]
        self._server.partial(self, len(self._out))

    def _fail(self, error: Exception) -> None:
        """End only this connection; a message could show too much."""
        what = f"fail ({type(error).__name__})"
        self._session.state.uses.note(what, self._session.peer)
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._socket.fileno() < 0:
            return
        take_back, self._take_back = self._take_back, None
        self._server.gone(self)
        self._socket.close()
        if self._body is not None:
            self._body.drop()
            self._body = None
        if self._hidden is not None:
            self._hidden.drop()
        if take_back is not None:
            take_back()


def _nothing() -> None:
    """Take nothing back: the request has not begun to wait."""
