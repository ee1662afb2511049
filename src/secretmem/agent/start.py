"""
Starting an agent, in the order that keeps keys safe.

Descriptors 0 to 2, the sockets, the process of its own; there hardening, then
the first key, and only then is the caller told that the agent is there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem import Secret, _descriptors, age
from secretmem._unreadable import PassphraseNeeded
from secretmem.agent import (
    handing,
    life,
    loading,
    logind,
    named,
    passphrase,
    sockets,
)
from secretmem.agent.extra import ExtraSession
from secretmem.agent.sealing import SealingKey
from secretmem.agent.sleep import Plan, Sleep
from secretmem.exceptions import InvalidKey, SourceError
from secretmem.launch.prepare import exit_code


if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Sequence

    from secretmem.agent.identities import Identity


# Wrong passphrases for a key file before the agent gives up.
_TRIES = 3
# Of a process number (pid_max(5) is less).
_MOST_DIGITS = 9


class StartError(Exception):
    """The agent, or its command, cannot start; the text says why."""

    code: int | None = None
    """The exit status, if it is the command's, as of env(1)."""


@dataclass(slots=True)
class Options:
    """What the command line asks for."""

    path: Path | None = None
    extra: Path | None = None
    foreground: bool = False
    csh: bool = False
    lifetime: int | None = None
    keys: Sequence[Path] = ()
    identities: Sequence[Path] = ()
    secrets: Sequence[str] = ()
    exported: Collection[str] = ()
    log: Path | None = None
    hibernation: bool = False
    hibernation_key: str = "prompt:"
    command: Sequence[str] = ()


def run(options: Options) -> int:
    """
    Start an agent; return the exit code.

    Raises:
        StartError: It cannot start.
    """
    _descriptors.keep_standard()
    # Until somebody is there to remove the sockets.
    handing.block()
    try:
        made = _sockets(options)
    except sockets.SocketError as error:
        handing.unblock()
        raise StartError(str(error)) from None
    if options.foreground:
        _say(life.environment(made.environment(os.getpid()), csh=options.csh))
        return _serve(options, made)
    return _fork(options, made)


def _sockets(options: Options) -> sockets.Sockets:
    given = sockets.inherited()
    if given:
        return _given(given)
    folder = None
    path = options.path
    if path is None:
        folder = sockets.new_folder()
        path = folder / f"agent.{os.getpid()}"
    path = path.absolute()
    made = sockets.Sockets(path, sockets.listen(path))
    extra = options.extra or (folder and folder / f"extra.{os.getpid()}")
    if extra is not None:
        made.extra = _second(made, extra.absolute())
    made.places.append(sockets.Place(path, folder))
    return made


def _given(given: list[tuple[str, socket.socket]]) -> sockets.Sockets:
    """Sort sockets of systemd's by name (FileDescriptorName=)."""
    extra = [taken for name, taken in given if name == "extra"]
    first = [taken for name, taken in given if name != "extra"]
    if len(first) != 1 or len(extra) > 1:
        raise sockets.SocketError(
            f"{len(given)} sockets were handed over; one is for ssh, and one "
            "more may have FileDescriptorName=extra"
        )
    path = Path(first[0].getsockname())
    second = extra[0] if extra else None
    return sockets.Sockets(path, first[0], extra=second)


def _second(made: sockets.Sockets, path: Path) -> socket.socket:
    """Make the second socket; remove the first if that fails."""
    try:
        extra = sockets.listen(path)
    except sockets.SocketError:
        made.path.unlink()
        raise
    made.places.append(sockets.Place(path))
    return extra


def _logs(options: Options) -> list[int]:
    """Open the files for the log."""
    logs = []
    if options.foreground:
        logs.append(sys.stderr.fileno())
    if options.log is not None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        logs.append(os.open(options.log, flags, 0o600))
    return logs


def _serve(
    options: Options,
    made: sockets.Sockets,
    tell: int | None = None,
    parent: int | None = None,
) -> int:
    """Be the agent."""
    try:
        life.end_early()
        refused = life.harden()
        if refused:
            raise StartError(f"hardening failed: {', '.join(refused)}")
        # Where there is no secret memory, this says so.
        Secret.random(1).close()
        logs = _logs(options)
        agent = life.Agent(logs, options.lifetime)
        if options.hibernation:
            plan = _plan(options, made, logs, parent)
            agent.state.sleep = Sleep(agent, plan)
        _load_all(options, agent)
        agent.listen(made.main)
        if made.extra is not None:
            agent.listen(made.extra, ExtraSession)
        if parent is not None:
            agent.end_with(parent)
        if tell is not None:
            life.background()
            os.write(tell, b"\1")
            os.close(tell)
        agent.run()
    finally:
        made.remove()
    return 0


def _plan(
    options: Options,
    made: sockets.Sockets,
    logs: list[int],
    parent: int | None,
) -> Plan:
    """Prepare for sleep; see that the program that sleeps can be started."""
    if not logind.is_installed():
        raise StartError(
            "--hibernation=allow needs jeepney, to hear from logind: pip "
            "install 'secretmem[hibernation]'"
        )
    words = handing.command(handing.NOTHING)
    if subprocess.run(words, check=False).returncode:  # noqa: S603 - ourselves
        raise StartError(f"this command does not run: {' '.join(words)}")
    try:
        with passphrase.first(options.hibernation_key) as found:
            sealing = SealingKey.new(found)
    except passphrase.PassphraseError as error:
        raise StartError(str(error)) from None
    return Plan(
        source=options.hibernation_key,
        sealing=sealing,
        sockets=made,
        logs=logs,
        parent=parent,
        logind=True,
    )


def _load_all(options: Options, agent: life.Agent) -> None:
    """Load the keys and secrets of the command line."""
    try:
        agent.state.named |= named.read_all(options.secrets, options.exported)
        with contextlib.ExitStack() as stack:
            identities = [
                stack.enter_context(identity)
                for path in options.identities
                for identity in age.load_identities(path)
            ]
            for path in options.keys:
                agent.add(_load(path, identities))
    except SourceError as error:
        raise StartError(error.in_one()) from None
    except (named.NamedError, age.AgeError) as error:
        raise StartError(str(error)) from None


def _load(path: Path, identities: Sequence[Any]) -> Identity:
    """Load a key file; ask for its passphrase if it has one."""
    try:
        return loading.load_file(path, None, identities)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from None
    except PassphraseNeeded as error:
        last: InvalidKey = error
    except InvalidKey as error:
        raise StartError(f"{path}: {error}") from None
    for _ in range(_TRIES):
        try:
            with Secret.prompt(f"Passphrase for {path}: ") as passphrase:
                return loading.load_file(path, passphrase, identities)
        except InvalidKey as error:
            last = error
        except (OSError, EOFError):
            raise StartError(
                f"{path}: {last}; there is no terminal to ask at"
            ) from None
    raise StartError(f"{path}: {last}")


def _fork(options: Options, made: sockets.Sockets) -> int:
    """Serve in a child; tell its place, or become the command."""
    reading, writing = os.pipe()
    mine = os.pidfd_open(os.getpid())
    pid = os.fork()
    if not pid:
        os.close(reading)
        parent = mine if options.command else None
        return _serve(options, made, writing, parent)
    handing.unblock()
    os.close(writing)
    os.close(mine)
    made.main.close()
    ready = os.read(reading, 1)
    os.close(reading)
    if not ready:
        # The child has said why.
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if options.command:
        found = made.environment(pid).items()
        os.environ.update({name: str(value) for name, value in found})
        return _become(options.command)
    _say(life.environment(made.environment(pid), csh=options.csh))
    return 0


def _say(text: str) -> None:
    """Print a result at once."""
    print(text, flush=True)  # noqa: T201 - the program's result


def _become(command: Sequence[str]) -> int:
    """Run the command in this process; the agent ends with it."""
    try:
        os.execvp(command[0], list(command))  # noqa: S606 - the user's own
    except OSError as error:
        failed = StartError(f"{command[0]}: {error.strerror}")
        failed.code = exit_code(error)
        raise failed from None


def _named_pid() -> int:
    """Read SSH_AGENT_PID."""
    text = os.environ.get("SSH_AGENT_PID", "")
    if not text:
        raise StartError("SSH_AGENT_PID is not set: no agent of this shell")
    number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not number or int(text) <= 1:
        raise StartError("SSH_AGENT_PID is no process of an agent's")
    return int(text)


def _check_is_agent(pid: int) -> None:
    """Refuse what does not serve the socket; without one, what is no agent."""
    listener = sockets.listener(os.environ.get("SSH_AUTH_SOCK", ""))
    if listener is None:
        if not life.is_agent(pid):
            raise StartError(
                f"nobody serves SSH_AUTH_SOCK, and process {pid} is no agent "
                "of this user"
            )
    elif listener != pid:
        raise StartError(
            f"SSH_AUTH_SOCK is served by process {listener}, not by {pid}"
        )


def kill(options: Options) -> int:
    """
    End the agent that SSH_AGENT_PID names, as ``ssh-agent -k`` does.

    Raises:
        StartError: There is none, or another process has that number now.
    """
    pid = _named_pid()
    try:
        # From here on the number is nobody else's for us.
        process = os.pidfd_open(pid)
        try:
            _check_is_agent(pid)
            signal.pidfd_send_signal(process, signal.SIGTERM)
        finally:
            os.close(process)
    except OSError as error:
        raise StartError(f"process {pid}: {error.strerror}") from None
    _say(life.unset(pid, csh=options.csh))
    return 0
