"""
Two worlds with the same interface: live processes, and the model's.

A world has numbered processes. `do` makes one of them perform one system
call and gives an `Outcome`, which can be compared between worlds: a value,
the name of an errno, or the name of the signal that ended the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, NamedTuple, Protocol

from conformance.syscalls import PAGE, error_name
from conformance.worker import Value, command, receive, send
from secretmem.model import Config, Kernel, SignalError


if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.actor import PageView
    from secretmem.model import Process


_FIRST_FREE_FD = 4


class Outcome(NamedTuple):
    """
    What a call came to.

    Attributes:
        kind: "value", "errno", "killed" or "raised".
        what: the value, or the name of errno, signal or exception.

    """

    kind: str
    what: Value


class Target(NamedTuple):
    """Stands for the process id of a world's process in arguments."""

    number: int


class World(Protocol):
    """Processes that do system calls on order."""

    def spawn(self, uid: int, memlock: int) -> int:
        """Start a process; the result is its number in this world."""

    def do(
        self, index: int, name: str, *args: object, **named: object
    ) -> Outcome:
        """Make process `index` do one call of `Actor`."""

    def fork(self, index: int) -> Outcome:
        """Fork process `index`; the value is the child's number."""

    def exec(self, index: int) -> Outcome:
        """Let process `index` become another program."""

    def pass_fd(self, giver: int, taker: int, fd: int) -> Outcome:
        """Send a descriptor; the value is its number in `taker`."""

    def kill(self, index: int) -> None:
        """End process `index` by SIGKILL."""

    def close(self) -> None:
        """End every process."""


class ModelWorld:
    """The model's processes."""

    def __init__(self, config: Config) -> None:
        """Boot a machine."""
        self.kernel = Kernel(config)
        self.processes: list[Process] = []

    def spawn(self, uid: int, memlock: int) -> int:
        """Start a process with descriptors 0 to 3 taken."""
        process = self.kernel.spawn(uid, memlock=memlock)
        process.first_fd = _FIRST_FREE_FD
        return self._number(process)

    def do(
        self, index: int, name: str, *args: object, **named: object
    ) -> Outcome:
        """Call a method of the process."""
        process = self.processes[index]
        words = [
            self.processes[each.number].pid
            if isinstance(each, Target)
            else each
            for each in args
        ]
        function = _OUTSIDE.get(name)
        if function is not None:
            return _outcome(lambda: function(process, *words))
        return _outcome(lambda: getattr(process, name)(*words, **named))

    def fork(self, index: int) -> Outcome:
        """Fork in the model."""
        return Outcome("value", self._number(self.processes[index].fork()))

    def exec(self, index: int) -> Outcome:
        """Exec in the model."""
        return _outcome(self.processes[index].exec)

    def pass_fd(self, giver: int, taker: int, fd: int) -> Outcome:
        """SCM_RIGHTS in the model."""
        receiver = self.processes[taker]
        return _outcome(lambda: self.processes[giver].send_fd(receiver, fd))

    def kill(self, index: int) -> None:
        """SIGKILL in the model."""
        self.processes[index].kill()

    def close(self) -> None:
        """Nothing outside of Python to end."""

    def _number(self, process: Process) -> int:
        self.processes.append(process)
        return len(self.processes) - 1


class Nursery:
    """The live processes' parent; starting it costs a Python start."""

    def __init__(self, *setup: str) -> None:
        """Start it, with lines of Python that run first."""
        self.channel, theirs = _pair()
        with theirs:
            self._program = subprocess.Popen(
                command("nursery", *setup), stdin=theirs.fileno()
            )

    def spawn(self, uid: int, memlock: int) -> tuple[int, socket.socket]:
        """Fork a worker; the result is its process id and its channel."""
        ours, theirs = _pair()
        with theirs:
            send(self.channel, ("spawn", uid, memlock), (theirs.fileno(),))
            answer = receive(self.channel)
        # It is ready when it has become its user.
        assert answer is not None
        assert receive(ours) is not None
        return answer.content, ours

    def play(self, module: str, function: str) -> Value:
        """
        Play a case in a process of its own; what it saw.

        A process that ended without an answer gives its signal's name, or
        "failed".
        """
        ours, theirs = _pair()
        with theirs:
            order = ("play", module, function)
            send(self.channel, order, (theirs.fileno(),))
            started = receive(self.channel)
        assert started is not None
        with ours:
            answer = receive(ours)
        ended = self.ending(started.content)
        return answer.content if answer else ended or "failed"

    def ending(self, pid: int) -> str | None:
        """Wait for a worker; give the name of the signal that ended it."""
        send(self.channel, ("wait", pid))
        answer = receive(self.channel)
        assert answer is not None
        ended: str | None = answer.content
        return ended

    def close(self) -> None:
        """End it; the workers end as their channels close."""
        self.channel.close()
        self._program.wait()


class _Live(NamedTuple):
    pid: int
    channel: socket.socket


class LiveWorld:
    """Live processes on the running kernel."""

    def __init__(self, nursery: Nursery) -> None:
        """Use `nursery` to start processes."""
        self._nursery = nursery
        self._processes: list[_Live] = []
        self._ended: set[int] = set()

    def spawn(self, uid: int, memlock: int) -> int:
        """Start a worker."""
        return self._number(*self._nursery.spawn(uid, memlock))

    def do(
        self, index: int, name: str, *args: object, **named: object
    ) -> Outcome:
        """Send an order and wait for the answer, or for the end."""
        words = tuple(
            self._processes[each.number].pid
            if isinstance(each, Target)
            else each
            for each in args
        )
        return self._order(index, ("do", name, (words, named)))

    def fork(self, index: int) -> Outcome:
        """Fork a worker; it is a worker of its own."""
        ours, theirs = _pair()
        with theirs:
            outcome = self._order(index, ("fork",), theirs.fileno())
        if outcome.kind == "value":
            # The child has taken its channel to the right place.
            assert receive(ours) is not None
            return Outcome("value", self._number(outcome.what, ours))
        ours.close()
        return outcome

    def exec(self, index: int) -> Outcome:
        """Replace the worker's program by a fresh worker."""
        return self._order(index, ("exec",))

    def pass_fd(self, giver: int, taker: int, fd: int) -> Outcome:
        """Carry a descriptor from one worker to the other."""
        send(self._processes[giver].channel, ("give", fd))
        answer = receive(self._processes[giver].channel)
        assert answer is not None
        if not answer.fds:
            return Outcome(*answer.content)
        (carried,) = answer.fds
        try:
            return self._order(taker, ("take",), carried)
        finally:
            os.close(carried)

    def kill(self, index: int) -> None:
        """SIGKILL the worker, and wait until it is gone."""
        os.kill(self._processes[index].pid, signal.SIGKILL)
        self._reap(index)

    def close(self) -> None:
        """End every worker."""
        for index, live in enumerate(self._processes):
            if index not in self._ended:
                with contextlib.suppress(OSError):
                    os.kill(live.pid, signal.SIGKILL)
                self._reap(index)

    def _order(self, index: int, order: Value, *fds: int) -> Outcome:
        channel = self._processes[index].channel
        send(channel, order, fds)
        answer = receive(channel)
        if answer is None:
            return Outcome("killed", self._reap(index))
        return Outcome(*answer.content)

    def _reap(self, index: int) -> str | None:
        self._processes[index].channel.close()
        self._ended.add(index)
        return self._nursery.ending(self._processes[index].pid)

    def _number(self, pid: int, channel: socket.socket) -> int:
        self._processes.append(_Live(pid, channel))
        return len(self._processes) - 1


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _peek(process: Process, addr: int, count: int) -> bytes:
    return process.mm.copy_in(addr, count, process.memlock)


def _poke(process: Process, addr: int, data: bytes) -> int:
    process.mm.copy_out(addr, data, process.memlock)
    return len(data)


def _layout(process: Process, addr: int, pages: int) -> list[PageView]:
    start = addr // PAGE
    return [_view(process, page) for page in range(start, start + pages)]


def _view(process: Process, page: int) -> PageView:
    vma = process.mm.vmas.at(page)
    if vma is None:
        return None
    rights = "".join(
        letter if vma.prot & bit else "-"
        for letter, bit in (("r", 1), ("w", 2), ("x", 4))
    )
    secret = vma.file is not None
    place = vma.file_page(page) if secret else 0
    codes = tuple(sorted(vma.codes()))
    return rights + ("s" if secret else "p"), place, secret, codes


def _contents(process: Process, addr: int, pages: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    for page in range(pages):
        try:
            data = _peek(process, addr + page * PAGE, PAGE)
        except OSError:
            found.append(None)
        else:
            found.append(data.rstrip(b"\0"))
    return found


def _descriptors(
    process: Process, first: int, last: int
) -> list[tuple[int, int] | None]:
    return [
        (process.fstat(fd).size, process.getfd(fd))
        if fd in process.fds
        else None
        for fd in range(first, last)
    ]


_OUTSIDE: dict[str, Callable[..., Value]] = {
    "peek": _peek,
    "poke": _poke,
    "layout": _layout,
    "contents": _contents,
    "descriptors": _descriptors,
}


def _outcome(call: Callable[[], Value]) -> Outcome:
    try:
        value = call()
    except OSError as error:
        return Outcome("errno", error_name(error))
    except SignalError as death:
        return Outcome("killed", death.name)
    # A named tuple compares equal and prints as the plain one it is.
    return Outcome(
        "value", tuple(value) if isinstance(value, tuple) else value
    )
