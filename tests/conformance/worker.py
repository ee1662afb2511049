"""
Live processes on a leash: each does one system call at a time, on order.

A *nursery* process, started once, forks workers that hold three descriptors
(0 to 2) and their channel (3). A worker runs the methods of `Actor` by name
and answers with the value or the errno's name. A worker that is killed by a
signal just stops answering; the nursery, parent of all of them, knows which
signal it was.
"""

from __future__ import annotations

import array
import ast
import contextlib
import importlib
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.actor import Actor
from conformance.syscalls import PR_SET_DUMPABLE, call, error_name


if TYPE_CHECKING:
    from collections.abc import Callable


CHANNEL = 3
_CLONE_PARENT = 0x8000
_MSG_CMSG_CLOEXEC = 0x40000000
_LARGEST = 1 << 17
_CASE_SECONDS = 600
_NULL = "/dev/null"
HOME = str(Path(__file__).resolve().parents[1])

Value = Any
"""What a call gave: int, bytes, str, tuple, set or None."""


class Message(NamedTuple):
    """One message of a channel: Python literals, and descriptors."""

    content: Value
    fds: list[int]


def send(
    channel: socket.socket, content: Value, fds: tuple[int, ...] = ()
) -> None:
    """Send literals, and descriptors with them."""
    data = repr(content).encode()
    socket.send_fds(channel, [data], list(fds))


def receive(channel: socket.socket) -> Message | None:
    """Receive one message; None when the other side is gone."""
    fds = array.array("i")
    # Not socket.recv_fds: until 3.13 it forgets the flags.
    try:
        data, control, _, _ = channel.recvmsg(
            _LARGEST, socket.CMSG_LEN(fds.itemsize), _MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None
    for _, _, carried in control:
        fds.frombytes(carried)
    content = ast.literal_eval(data.decode()) if data else None
    return Message(content, list(fds)) if data else None


def _answer(actor: object, name: str, arguments: Value) -> Value:
    positional, named = arguments
    try:
        return "value", getattr(actor, name)(*positional, **named)
    except OSError as error:
        return "errno", error_name(error)
    except Exception as error:  # noqa: BLE001 the other side compares it
        return "raised", type(error).__name__


def _clone() -> int:
    """Fork a sibling: its parent is the nursery, like everybody's."""
    return call("clone", _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)


class Worker:
    """
    One process on its leash.

    Class attributes:
        actor_class: whose methods it runs.

    """

    actor_class: type = Actor

    def __init__(self, channel: socket.socket) -> None:
        """Serve the channel, which is descriptor 3."""
        self.channel = channel
        self.actor = self.actor_class()

    def serve(self) -> None:
        """Obey until the other side is gone."""
        while (message := receive(self.channel)) is not None:
            order, *rest = message.content
            getattr(self, f"_{order}")(message, *rest)

    def _do(self, _: Message, name: str, arguments: Value) -> None:
        send(self.channel, _answer(self.actor, name, arguments))

    def _fork(self, message: Message) -> None:
        (theirs,) = message.fds
        pid = _clone()
        if pid:
            os.close(theirs)
            send(self.channel, ("value", pid))
            return
        os.dup2(theirs, CHANNEL)
        os.close(theirs)
        send(self.channel, ("value", None))

    def _exec(self, _: Message) -> None:
        program = command("resume")
        os.execv(sys.executable, program)  # noqa: S606 no shell is the point

    def _give(self, _: Message, fd: int) -> None:
        try:
            send(self.channel, ("value", None), (fd,))
        except OSError as error:
            send(self.channel, ("errno", error_name(error)))

    def _take(self, message: Message) -> None:
        send(self.channel, ("value", message.fds[0]))


def command(mode: str, *setup: str) -> list[str]:
    """
    Give the command line of a nursery or of a worker after exec.

    `setup` is Python that runs first.
    """
    code = "; ".join(
        (
            f"import sys; sys.path.insert(0, {HOME!r})",
            "from conformance import worker",
            *setup,
            f"worker.{mode}()",
        )
    )
    return [sys.executable, "-S", "-E", "-s", "-c", code]


def resume() -> None:
    """Report for work, at the start or after exec, and obey."""
    channel = socket.socket(fileno=CHANNEL)
    send(channel, ("value", None))
    Worker(channel).serve()


def nursery() -> None:
    """Serve standard input: make workers, and tell how they ended."""
    channel = socket.socket(fileno=0)
    while (message := receive(channel)) is not None:
        order, *rest = message.content
        if order in _BIRTHS:
            pid = os.fork()
            if not pid:
                _BIRTHS[order](message.fds[0], *rest)
            os.close(message.fds[0])
            send(channel, pid)
        else:
            send(channel, _ending(*rest))


def _become_worker(fd: int, uid: int, memlock: int) -> None:
    os.dup2(fd, CHANNEL)
    os.set_inheritable(CHANNEL, True)  # noqa: FBT003 the function's only form
    os.closerange(CHANNEL + 1, 256)
    null = os.open(_NULL, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(KeyboardInterrupt):
        resume()
    os._exit(0)


def _play(fd: int, module: str, function: str) -> None:
    """Be the stage of a case: tell what it saw, and end."""
    signal.alarm(_CASE_SECONDS)
    stage = importlib.import_module("conformance.stage").LiveStage()
    case = getattr(importlib.import_module(module), function)
    with socket.socket(fileno=fd) as channel:
        send(channel, case(stage))
    os._exit(0)


_BIRTHS: dict[str, Callable[..., None]] = {
    "spawn": _become_worker,
    "play": _play,
}


def _ending(pid: int) -> str | None:
    """Wait for a worker; the name of the signal that ended it, or None."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return None
