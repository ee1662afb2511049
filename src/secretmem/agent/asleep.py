"""
The agent while it sleeps: a process without secret memory.

It has the sockets, the clients' connections and the sealed keys. Clients of
the first socket wait in the kernel, nothing of theirs is read. On the second
socket it answers how it is and takes the request to wake up. To wake up is to
open the box and to be the agent again, in this process; when that fails, the
process becomes the sleeping program once more, as it has touched secret
memory by then.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import secretmem
from secretmem import SecretmemError
from secretmem.agent import extra, handing, life, logind, messages, peer, wire
from secretmem.agent import sealing as seals
from secretmem.agent.binding import Bindings
from secretmem.agent.loop import Loop
from secretmem.agent.passphrase import Question
from secretmem.agent.peer import Peer
from secretmem.agent.session import Session
from secretmem.agent.sleep import Plan, Sleep
from secretmem.agent.sockets import Sockets
from secretmem.agent.uses import Uses


if TYPE_CHECKING:
    from secretmem.agent.sealing import Box, SealingKey

# Connections that are accepted meanwhile.
_MOST = 64
# Wrong passphrases, one after the other, before the next request is needed.
_TRIES = 3
# Seconds after which a request that has not come whole is looked at again.
_LOOK = 0.05


def _request(name: bytes) -> bytes:
    return wire.frame(
        bytes([messages.SSH_AGENTC_EXTENSION]) + wire.string(name)
    )


# What is answered; all else stays unread until the agent is awake.
_STATUS, _ASLEEP, _WAKE = map(
    _request, (extra.STATUS, extra.ASLEEP, extra.WAKE)
)
_LONGEST = max(map(len, (_STATUS, _ASLEEP, _WAKE)))


def run(fd: int) -> int:
    """
    Sleep, and be the agent again afterwards; return the exit code.

    Args:
        fd: What `handing.become` has made.

    Raises:
        BoxError: It was another version's.
        OSError: There is no such descriptor.
    """
    life.harden()
    sleeper = Sleeper(handing.take(fd))
    try:
        if not sleeper.run():
            return 0
        sleeper.awake().run()
    finally:
        sleeper.sockets.remove()
    return 0


class Sleeper:
    """Holds the sealed keys."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._outside = outside = box.outside
        self.sockets = Sockets.taken(outside["sockets"])
        self._loop = Loop()
        self._uses = Uses(self._loop, *outside["logs"])
        self._question = Question(self._loop, outside["source"])
        self._clients: dict[int, tuple[socket.socket, dict[str, Any]]] = {}
        self._wakes = self._waking = False
        self._logind: logind.Logind | None = None

    # -- sleeping -------------------------------------------------------------

    def run(self) -> bool:
        """Sleep; tell whether there is a passphrase to wake up by."""
        self._signals = life.Signals(
            self._loop,
            {
                signal.SIGTERM: self._loop.stop,
                signal.SIGHUP: self._loop.stop,
                signal.SIGINT: self._loop.stop,
                signal.SIGUSR1: self._drop_keys,
                signal.SIGUSR2: lambda: self._wake("SIGUSR2"),
            },
        )
        self._take_clients()
        self._loop.later(0, self._begin)
        self._loop.run()
        handing.block()
        wakes, self._wakes = self._wakes, False
        # What came since the last look at them.
        self._signals.act()
        self._uses.flush()
        if not wakes:
            self._question.stop()
        return wakes

    def _take_clients(self) -> None:
        for noted in self._outside["clients"]:
            self._keep(socket.socket(fileno=noted["fd"]), noted)
        parent = self._outside["parent"]
        if parent is not None:
            self._loop.watch(
                parent, select.EPOLLIN, lambda _: self._loop.stop()
            )
        listener = self.sockets.extra
        if listener is not None:
            listener.settimeout(0)
            self._loop.watch(
                listener.fileno(), select.EPOLLIN, lambda _: self._accept()
            )

    def _begin(self) -> None:
        """Say that it sleeps, to whoever waits for that."""
        tries = self._outside["tries"]
        if tries and self._question.asks and tries < _TRIES:
            self._wake("a wrong passphrase")
        elif tries:
            self._refuse()
        if self._outside["logind"]:
            self._logind = logind.Logind(
                self._loop, self._told, self._connected
            )
            self._logind.connect()
        # Where there is no bus any more, nobody waits either.
        self._release()

    def _connected(self) -> None:
        """Hear of the end of sleep from here on, or know of it already."""
        if self._logind is None:
            return
        if self._outside["by_logind"] and not self._logind.is_preparing():
            self._wake("logind")

    def _release(self) -> None:
        if handing.holds_secret_memory():
            self._note("still holds secret memory", "the kernel")
        logind.release(self._outside["inhibitor"])
        self._outside["inhibitor"] = None

    def _told(self, begins: bool) -> None:  # noqa: FBT001 - the signal's value
        if not begins:
            self._wake("logind")

    def _drop_keys(self) -> None:
        self._box.drop()
        self._outside["status"] |= {"keys": [], "secrets": []}
        self._note("remove all", "SIGUSR1")

    def _note(self, what: str, who: str) -> None:
        self._uses.note(what, who)
        self._outside["notes"].append([time.time(), what, who])

    # -- clients --------------------------------------------------------------

    def _accept(self) -> None:
        listener = self.sockets.extra
        if listener is None:
            return
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        client = peer.of(connection)
        if not peer.is_allowed(client) or len(self._clients) >= _MOST:
            connection.close()
            return
        noted = {
            "extra": True,
            "peer": list(client),
            "bindings": Bindings().noted(),
        }
        self._keep(connection, noted)

    def _keep(self, connection: socket.socket, noted: dict[str, Any]) -> None:
        fd = connection.fileno()
        self._clients[fd] = (connection, noted)
        if noted["extra"] and not noted["bindings"]["remote"]:
            self._watch(fd)

    def _watch(self, fd: int) -> None:
        self._loop.watch(fd, select.EPOLLIN, lambda _: self._look(fd))

    def _peek(self, fd: int) -> bytes:
        """Return the beginning of what a client sent; it stays unread."""
        connection = self._clients[fd][0]
        return connection.recv(_LONGEST, socket.MSG_PEEK | socket.MSG_DONTWAIT)

    def _look(self, fd: int) -> None:
        try:
            data = self._peek(fd)
            if not data:
                self._end(fd)
            elif data.startswith(_WAKE):
                # The agent answers it when it is awake.
                self._loop.forget(fd)
                self._wake(self._who(fd))
            elif data.startswith(_ASLEEP):
                self._answer(fd, _ASLEEP, extra.answer(extra.ASLEEP))
            elif data.startswith(_STATUS):
                self._answer(fd, _STATUS, self._status())
            else:
                self._leave(fd, data)
        except BlockingIOError:
            return
        except OSError:
            self._end(fd)

    def _leave(self, fd: int, data: bytes) -> None:
        """Let a request wait, unless it may become one of ours."""
        self._loop.forget(fd)
        if any(each.startswith(data) for each in (_STATUS, _ASLEEP, _WAKE)):
            self._loop.later(_LOOK, lambda: self._watch_again(fd))

    def _watch_again(self, fd: int) -> None:
        if fd in self._clients:
            self._watch(fd)

    def _who(self, fd: int) -> str:
        pid, uid, name = self._clients[fd][1]["peer"]
        return str(Peer(pid, uid, name))

    def _answer(self, fd: int, request: bytes, reply: bytes) -> None:
        """Take a request that was looked at, and answer it."""
        connection = self._clients[fd][0]
        connection.recv(len(request))
        # It is as long as the client takes, but for one who does not read.
        connection.settimeout(1)
        connection.sendall(wire.frame(reply))
        connection.settimeout(0)

    def _end(self, fd: int) -> None:
        self._loop.forget(fd)
        self._clients.pop(fd)[0].close()

    def _status(self) -> bytes:
        found = self._outside["status"]
        elapsed = time.time() - self._outside["since"]
        keys = []
        for key in found["keys"]:
            left = key["seconds_left"]
            keys.append(
                {
                    **key,
                    "seconds_left": None if left is None else left - elapsed,
                }
            )
        hibernation = {
            **found["hibernation"],
            "asleep_since": self._outside["since"],
        }
        protection = {
            "backend": "sealed",
            "gate": "none",
            "dumpable": False,
            "locked_bytes": 0,
        }
        whole = {
            **found,
            "keys": keys,
            "hibernation": hibernation,
            "protection": protection,
        }
        text = json.dumps(whole).encode()
        return extra.answer(extra.STATUS) + wire.string(text)

    # -- waking ---------------------------------------------------------------

    def _wake(self, who: str) -> None:
        if self._waking:
            return
        self._waking = True
        self._note("wake", who)
        self._question.ask(self._answered, self._failed)

    def _answered(self) -> None:
        self._wakes = True
        self._loop.stop()

    def _failed(self, why: str) -> None:
        """Sleep on: nobody was there, and no secret memory was touched."""
        self._waking = False
        self._note("sleep on", why)
        self._refuse()

    def _refuse(self) -> None:
        """Tell those who asked that the agent sleeps on."""
        self._outside["tries"] = 0
        for fd in list(self._clients):
            try:
                if self._peek(fd).startswith(_WAKE):
                    self._answer(fd, _WAKE, messages.EXTENSION_FAILURE)
                    self._watch_if_left(fd)
            except OSError:
                continue

    def _watch_if_left(self, fd: int) -> None:
        if not self._loop.watches(fd):
            self._watch(fd)

    def awake(self) -> life.Agent:
        """
        Return the agent with its keys; where that fails, sleep on.

        Only execve(2) gives the secret memory back that was touched.
        """
        try:
            with self._question.read() as passphrase:
                wrapped = bytes.fromhex(self._outside["wrapped"])
                sealing = seals.SealingKey.opened(wrapped, passphrase)
            # What scrypt needed is room for the keys.
            secretmem.trim()
            agent = life.Agent(self._outside["logs"], None)
            seals.restore(agent.state, self._box, sealing.key)
        except (SecretmemError, OSError, ValueError) as error:
            self._note(f"fail to wake ({type(error).__name__})", "the agent")
            self._uses.flush()
            handing.become(self._again())
            raise
        self._equip(agent, sealing)
        return agent

    def _again(self) -> Box:
        """Return the box with what has changed outside."""
        self._outside["tries"] += 1
        # Asked once: what failed is not tried for ever.
        self._outside["by_logind"] = False
        self._outside["clients"] = [
            {**noted, "fd": fd} for fd, (_, noted) in self._clients.items()
        ]
        return self._box

    def _equip(self, agent: life.Agent, sealing: SealingKey) -> None:
        """Give the agent all but its keys."""
        outside, made = self._outside, self.sockets
        if self._logind is not None:
            self._logind.close()
        agent.listen(made.main)
        if made.extra is not None:
            agent.listen(made.extra, extra.ExtraSession)
        for connection, noted in self._clients.values():
            kind = extra.ExtraSession if noted["extra"] else Session
            pid, uid, name = noted["peer"]
            session = kind(agent.state, Peer(pid, uid, name))
            session.bindings = Bindings.taken(noted["bindings"])
            agent.server.adopt(connection, session)
        if outside["parent"] is not None:
            agent.end_with(outside["parent"])
        plan = Plan(
            source=outside["source"],
            sealing=sealing,
            sockets=made,
            logs=outside["logs"],
            parent=outside["parent"],
            logind=outside["logind"],
        )
        agent.state.sleep = Sleep(agent, plan)
        agent.state.recall(outside["notes"])
        agent.state.reap()
