"""How an agent begins and ends: hardening, background, signals."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import shlex
import signal
import socket
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

import secretmem
from secretmem.agent import handing
from secretmem.agent.loop import Loop
from secretmem.agent.server import Server
from secretmem.agent.session import Session
from secretmem.agent.state import State
from secretmem.agent.uses import Uses


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from secretmem.agent.identities import Identity

_BACKLOG = 1024
# What comes before the word "agent" on the command line of one.
_PROGRAMS = frozenset({"secretmem", "secretmem.cli.main"})


def harden() -> list[str]:
    """
    Close the doors before the first key; return what was refused.

    No core files, not dumpable: processes of the same user cannot attach.
    """
    done = secretmem.harden(undumpable=True, no_core=True)
    return [f"{each.name}: {each.error}" for each in done if not each.done]


def background() -> None:
    """Leave the terminal (daemon(7)): a session of its own, no files."""
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)


class Agent:
    """A running agent."""

    def __init__(self, logs: Sequence[int], lifetime: int | None) -> None:
        self.loop = Loop()
        self.state = State.new(self.loop, Uses(self.loop, *logs), lifetime)
        self.server = Server(self.state)
        self._parent: int | None = None

    def add(self, identity: Identity) -> None:
        """Take a key of the command line."""
        self.state.identities.add(identity)
        self.state.added(identity, "the command line")

    def listen(
        self, listener: socket.socket, kind: type[Session] = Session
    ) -> None:
        """Serve a socket."""
        # Whoever connects is told, by SO_PEERCRED, who listened last.
        listener.listen(_BACKLOG)
        self.server.listen(listener, kind)

    def end_with(self, pidfd: int) -> None:
        """End when the process of a pidfd ends."""
        self.loop.watch(pidfd, select.EPOLLIN, lambda _: self.loop.stop())

    def run(self) -> None:
        """Serve until a signal says to end; then wipe all keys."""
        self._take_signals()
        try:
            self.loop.run()
        finally:
            self.state.clear()
            self.state.uses.flush()

    def drop_keys(self) -> None:
        """Drop all keys, as SIGUSR1 asks."""
        self.state.clear()
        self.state.uses.note("remove all", "SIGUSR1")

    def _take_signals(self) -> None:
        actions: dict[int, Callable[[], None]] = {
            signal.SIGTERM: self.loop.stop,
            signal.SIGHUP: self.loop.stop,
            signal.SIGINT: self.loop.stop,
            signal.SIGUSR1: self.drop_keys,
        }
        sleep = self.state.sleep
        if sleep is not None:
            actions[signal.SIGUSR2] = lambda: sleep.begin("SIGUSR2")
        self._signals = Signals(self.loop, actions)


class Signals:
    """What an event loop does at a signal, from here on."""

    def __init__(
        self, loop: Loop, actions: Mapping[int, Callable[[], None]]
    ) -> None:
        # Both ends live as long as the process.
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.settimeout(0)
        self._actions = actions
        for number in actions:
            signal.signal(number, _do_nothing)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        loop.watch(self._ours.fileno(), select.EPOLLIN, lambda _: self.act())
        handing.unblock()

    def act(self) -> None:
        """Do what belongs to the signals that came."""
        with contextlib.suppress(BlockingIOError):
            for number in self._ours.recv(64):
                self._actions.get(number, _nothing)()


def end_early() -> None:
    """Let a signal end the start, so that its sockets are removed."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, _do_nothing)
    handing.unblock()


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _do_nothing(_number: int, _frame: object) -> None:
    """Leave the signal to the loop."""


def _nothing() -> None:
    """Do nothing about a signal that is not ours."""


def environment(values: Mapping[str, object], *, csh: bool) -> str:
    """Return the shell commands that make a shell use an agent."""
    lines = []
    for name, value in values.items():
        word = shlex.quote(str(value))
        if csh:
            lines.append(f"setenv {name} {word};")
        else:
            lines.append(f"{name}={word}; export {name};")
    return "\n".join([*lines, f"echo Agent pid {values['SSH_AGENT_PID']};"])


def unset(pid: int, *, csh: bool) -> str:
    """Return the shell commands that make a shell forget an agent."""
    word = "unsetenv" if csh else "unset"
    return (
        f"{word} SSH_AUTH_SOCK;\n{word} SSH_AGENT_PID;\n"
        f"{word} SECRETMEM_AGENT_SOCK;\n"
        f"echo Agent pid {pid} killed;"
    )


def is_agent(pid: int) -> bool:
    """
    Tell whether a process is an agent of this program and of this user.

    By its arguments (proc_pid_cmdline(5)), which it may choose freely: that
    keeps others from being taken for one by accident.

    Raises:
        OSError: There is no such process.
    """
    folder = Path(f"/proc/{pid}")
    if folder.stat().st_uid != os.geteuid():
        return False
    words = (folder / "cmdline").read_bytes().split(b"\0")
    names = [PurePosixPath(os.fsdecode(word)).name for word in words]
    return any(
        name in _PROGRAMS and after == "agent"
        for name, after in itertools.pairwise(names)
    )


def is_csh() -> bool:
    """Tell whether the user's shell is one of the C shells."""
    return os.environ.get("SHELL", "").endswith("csh")
