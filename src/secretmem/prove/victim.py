"""
The victims: ``python -m secretmem.prove.victim FD``.

The program is a nursery.  It holds no secret; on request it forks a victim,
which makes its own place for a needle (so a Secret is made after the fork)
and then serves requests on a socket of its own until that closes.  Forking
keeps victims cheap: every attack gets fresh ones.

Requests and replies are JSON objects, one a packet, with descriptors beside
them.  A needle never travels in a packet: it comes through a pipe.

A victim makes the attack as easy as a user of this machine can: it may be
traced (PR_SET_PTRACER_ANY, for Yama) and stays dumpable.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from secretmem.prove import kinds, linux


_MAX_PACKET = 1 << 20
_MAX_DESCRIPTORS = 8

Packet = dict[str, Any]


def receive(channel: socket.socket) -> tuple[Packet | None, list[int]]:
    """Return the next packet and its descriptors; None at the end."""
    try:
        data, fds, _, _ = socket.recv_fds(
            channel, _MAX_PACKET, _MAX_DESCRIPTORS
        )
    except ConnectionError:
        return None, []
    for fd in fds:  # recv_fds of Python 3.11 ignores MSG_CMSG_CLOEXEC
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    if not data:
        return None, fds
    packet: Packet = json.loads(data)
    return packet, fds


def send(channel: socket.socket, packet: Packet, *fds: int) -> None:
    """Send a packet and descriptors."""
    data = json.dumps(packet).encode("utf-8")
    if fds:
        socket.send_fds(channel, [data], fds)
    else:
        channel.send(data)


class Victim:
    """The part of a victim process that serves requests."""

    def __init__(self, channel: socket.socket, kind: str) -> None:
        """Make an empty place of ``kind``."""
        self._channel = channel
        self._place = kinds.make(kind)
        self._open = contextlib.ExitStack()

    def serve(self) -> None:
        """Answer requests until the other side closes."""
        while True:
            packet, fds = receive(self._channel)
            if packet is None:
                return
            try:
                reply = self._answer(packet, fds)
            except Exception as error:  # noqa: BLE001 - every failure is reported to the attacker
                reply = _failure(error)
            for fd in fds:
                with contextlib.suppress(OSError):
                    os.close(fd)
            send(self._channel, reply)

    def _answer(self, packet: Packet, fds: list[int]) -> Packet:
        """Carry out one request."""
        match packet["op"]:
            case "plant":
                self._place.fill(fds[0], packet["size"])
                return self._place.facts()
            case "known":
                return _span(self._place.known())
            case "open":
                return _span(self._open.enter_context(self._place.open()))
            case "shut":
                self._open.close()
                return {}
            case "digest":
                return {"digest": self._place.digest()}
            case "call":
                return self._call(packet, fds)
            case other:
                raise ValueError(f"no such request: {other}")

    def _call(self, packet: Packet, fds: list[int]) -> Packet:
        """Run the inside part of an attack."""
        name = f"secretmem.prove.attacks.{packet['attack']}"
        attack = importlib.import_module(name)
        reply: Packet = attack.inside(self._place, fds, **packet["arguments"])
        return reply


def become_victim(channel: socket.socket, kind: str) -> NoReturn:
    """Serve as a victim of ``kind`` and end the process."""
    linux.invite_attackers()
    try:
        Victim(channel, kind).serve()
    except BaseException as error:  # noqa: BLE001 - a forked child must not return
        with contextlib.suppress(OSError):
            send(channel, _failure(error))
        os._exit(1)
    os._exit(0)


def _without_cores() -> None:
    """
    Switch core files off.

    Limit 1 and not 0: a core that is piped to a program ignores 0 (core(5)
    and fs/coredump.c).
    """
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def _span(span: kinds.Span | None) -> Packet:
    """Return a range as a packet."""
    return {} if span is None else {"address": span.address, "size": span.size}


def _failure(error: BaseException) -> Packet:
    """Describe an exception; names and errno, reason and remedy if any."""
    message = getattr(error, "strerror", None) or str(error)
    packet: Packet = {"error": type(error).__name__, "message": message}
    for name in ("errno", "reason", "remedy"):
        value = getattr(error, name, None)
        if isinstance(value, int | str):
            packet[name] = value
    return packet


class _Nursery:
    """Forks victims on request and keeps how they ended."""

    def __init__(self, channel: socket.socket) -> None:
        """Serve ``channel``."""
        self._channel = channel
        self._ended: dict[int, int] = {}

    def serve(self) -> None:
        """Answer until the other side closes."""
        while True:
            packet, fds = receive(self._channel)
            if packet is None:
                return
            if packet["op"] == "spawn":
                reply = self._spawn(packet["kind"], fds[0])
            else:
                reply = self._wait(packet["pid"], packet["seconds"])
            send(self._channel, {"request": packet["request"], **reply})

    def _spawn(self, kind: str, fd: int) -> Packet:
        """Fork a victim that serves ``fd``."""
        self._reap()
        pid = os.fork()
        if not pid:
            self._channel.close()
            become_victim(socket.socket(fileno=fd), kind)
        os.close(fd)
        return {"pid": pid}

    def _wait(self, pid: int, seconds: float) -> Packet:
        """Wait for the end of a victim and say how it ended."""
        if pid not in self._ended:
            pidfd = os.pidfd_open(pid)
            select.select([pidfd], [], [], seconds)
            os.close(pidfd)
            self._reap()
        status = self._ended.get(pid)
        if status is None:
            return {"running": True}
        if os.WIFSIGNALED(status):
            return {
                "signal": signal.Signals(os.WTERMSIG(status)).name,
                "core": os.WCOREDUMP(status),
            }
        return {"code": os.WEXITSTATUS(status)}

    def _reap(self) -> None:
        """Collect the victims that ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._ended[pid] = status


def _load_attacks() -> None:
    """Import what victims run, once, before they are forked."""
    from secretmem.prove import attacks

    attacks.load()


def main() -> int:
    """Run the nursery on the socket whose number is the argument."""
    linux.invite_attackers()
    _without_cores()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load_attacks()
    channel = socket.socket(fileno=int(sys.argv[1]))
    send(channel, {"ready": True})
    _Nursery(channel).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
