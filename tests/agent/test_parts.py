"""Parts of the agent that a client cannot bring about at will."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from agent import message, stage
from secretmem import Secret, handover
from secretmem.agent import confirm, status
from secretmem.agent.client import (
    AgentError,
    AgentProtocolError,
    AgentRefusedError,
    Client,
)
from secretmem.agent.constraints import Constraints
from secretmem.agent.destination import Destination, Hop
from secretmem.agent.identities import Identities, Identity
from secretmem.agent.loop import Loop
from secretmem.agent.state import State
from secretmem.agent.uses import Uses
from secretmem.agent.wire import string, u32
from support import holdings
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

PROGRAM = [sys.executable, "-m", "secretmem.cli.main", "agent"]
BLOB = message.blob(ed25519.Ed25519PrivateKey.generate())


class Key:
    """Stands for a key."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        """End it."""
        self.closed = True


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Give a loop, of which nothing is left for the next test."""
    made = Loop()
    yield made
    made._epoll.close()
    os.close(made._bell)


@pytest.mark.parametrize("default", [None, 3600])
def test_a_lifetime_of_nothing_ends_at_once(default: int | None) -> None:
    """As in OpenSSH; the agent's own lifetime is for keys without one."""
    identities, key = Identities(default), Key()
    identities.add(Identity(BLOB, key, b"", Constraints(lifetime=0)))
    assert identities.get(BLOB) is None
    assert key.closed
    assert identities.expire() is None
    identities.add(Identity(BLOB, Key(), b""))
    left = identities.expire()
    assert (left is None) == (default is None)


def test_names_of_hosts_do_not_steer_the_terminal(loop: Loop) -> None:
    """They are a client's words, as comments are."""
    state = State.new(loop, Uses(loop), None)
    way = Destination(Hop("", "", ()), Hop("", "evil\x1b[2J\n", ()))
    limits = Constraints(destinations=(way,))
    state.identities.add(Identity(BLOB, Key(), b"a\x1bb", limits))
    text = "\n".join(status.lines(status.of(state)))
    assert "\x1b" not in text
    assert "a?b" in text
    assert "only to evil?[2J?\n" in f"{text}\n"


def test_an_answer_is_for_its_own_question(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that did not start says no to nobody else."""
    asking = tmp_path / "asking"
    asking.write_text(
        '#!/bin/sh\n[ "$1" = first ] && exec sleep 999\nexit 0\n'
    )
    asking.chmod(0o700)
    programs = iter([str(asking), None, str(asking)])
    monkeypatch.setattr(confirm, "program", lambda: next(programs))
    verdicts: list[bool | str] = []
    asker = confirm.Asker(loop)

    def answered(verdict: bool) -> None:  # noqa: FBT001 - a verdict
        verdicts.append(verdict)
        loop.stop()

    def refuse(_verdict: bool) -> None:  # noqa: FBT001 - a verdict
        verdicts.append("taken back")

    first, second = asker.ask("first", refuse), asker.ask("second", refuse)
    asker.ask("third", answered)
    first()
    second()
    loop.run()
    assert verdicts == [True]


def test_who_is_silent_longest_is_let_go(tmp_path: Path) -> None:
    """Not the one that has been here longest."""
    path = tmp_path / "agent.sock"
    code = (
        "import resource, sys\n"
        # 64 are for other things.
        "resource.setrlimit(resource.RLIMIT_NOFILE, (66, 66))\n"
        "from secretmem.cli.main import main\n"
        "sys.exit(main())"
    )
    words = ["agent", "-D", "-a", str(path)]
    listing = bytes([message.LIST])
    with (
        stage.serving(
            [sys.executable, "-c", code, *words], path, tmp_path / "log"
        ) as agent,
        agent.connect() as active,
    ):
        assert stage.ask(active, listing)
        with agent.connect() as silent:
            assert stage.ask(silent, listing)
            assert stage.ask(active, listing)
            with agent.connect() as third:
                assert stage.ask(third, listing)
                assert stage.ask(active, listing)
                assert not silent.recv(1)


# -- the client ---------------------------------------------------------------


@contextlib.contextmanager
def _answers(
    path: Path, reply: bytes, fds: Sequence[int] = ()
) -> Iterator[None]:
    """Serve one request like an agent that is none of ours."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                socket.send_fds(connection, [reply], fds)

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def _export(size: int, kind: int = message.EXTENSION_RESPONSE) -> bytes:
    body = string(b"export@secretmem") + u32(size)
    return message.frame(bytes([kind]) + body)


def _open(what: str) -> list[int]:
    """Open what an agent hands over."""
    with Secret.from_bytes(b"word") as secret:
        good = handover.to_descriptor(secret)
    memory = os.memfd_create("x")
    os.truncate(memory, 4096)
    found = {
        "none": [],
        "memory": [memory],
        "good": [good],
        "two": [good, memory],
    }[what]
    for fd in {good, memory}.difference(found):
        os.close(fd)
    return found


@pytest.mark.parametrize(
    "reply, what, error",
    [
        (b"\0\0\0", "good", AgentProtocolError),
        (_export(4), "none", AgentProtocolError),
        (_export(4), "memory", AgentProtocolError),
        (_export(4), "two", AgentProtocolError),
        (_export(5), "good", AgentProtocolError),
        (_export(1 << 30), "good", AgentProtocolError),
        (_export(4)[:-1], "good", AgentProtocolError),
        (message.frame(b"\35\0\0"), "good", AgentProtocolError),
        (_export(4, 5), "good", AgentRefusedError),
        (message.frame(message.FAILURE), "none", AgentRefusedError),
    ],
)
def test_what_is_handed_over_is_looked_at(
    reply: bytes, what: str, error: type[AgentError], tmp_path: Path
) -> None:
    """An agent that lies gets an error, and nothing is left open."""
    fds = _open(what)
    path = tmp_path / "agent"
    held = holdings.descriptors()
    with (
        _answers(path, reply, fds),
        Client(path, timeout=PATIENCE) as client,
        pytest.raises(error) as caught,
    ):
        client.take("name")
    assert type(caught.value) is error
    assert holdings.descriptors() == held
    for fd in fds:
        os.close(fd)


def test_what_is_handed_over_ends_with_this_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor is closed by execve(2)."""
    (fd,) = _open("good")
    path = tmp_path / "agent"
    flags = []
    real = handover.from_descriptor

    def spy(fd: int, *, name: str) -> Secret:
        flags.append(fcntl.fcntl(fd, fcntl.F_GETFD))
        return real(fd, name=name)

    monkeypatch.setattr(handover, "from_descriptor", spy)
    with (
        _answers(path, _export(4), [fd]),
        Client(path, timeout=PATIENCE) as client,
    ):
        assert client.take("name").matches(b"word")
    assert flags == [fcntl.FD_CLOEXEC]
    os.close(fd)


@pytest.fixture
def crowded() -> Iterator[None]:
    """Have no free descriptor below 1024, the end of select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1100, hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < 1024:
        taken.append(os.dup(taken[0]))
    yield
    for fd in taken:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.needs_descriptors(1100)
@pytest.mark.usefixtures("crowded")
def test_a_client_in_a_program_with_many_files(tmp_path: Path) -> None:
    """It waits for an answer, and not for ever."""
    path = tmp_path / "agent"
    reply = message.frame(bytes([message.IDENTITIES]) + u32(0))
    with _answers(path, reply), Client(path, timeout=PATIENCE) as client:
        assert client.identities() == []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen()
        with (
            Client(tmp_path / "silent", timeout=0.01) as client,
            pytest.raises(AgentError, match="in time"),
        ):
            client.identities()


# -- agent -k -----------------------------------------------------------------


def _killed(pid: object, path: object = "") -> str:
    env = {"SSH_AGENT_PID": str(pid), "SSH_AUTH_SOCK": str(path)}
    done = subprocess.run(
        [*PROGRAM, "-k"],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        # Process 0 would be its group, which is then not the tests'.
        start_new_session=True,
    )
    return done.stdout


@pytest.mark.parametrize("pid", ["0", "1", "-5", "9" * 30, "²", "x"])
def test_what_is_no_process_is_not_killed(pid: str) -> None:
    """The error says so."""
    assert "SSH_AGENT_PID is no process" in _killed(pid)


def test_a_process_that_is_no_agent_is_not_killed() -> None:
    """The number of an agent that has ended may be another's by now."""
    with subprocess.Popen(["sleep", "6000"]) as other:
        try:
            assert "is no agent of this user" in _killed(other.pid)
            assert other.poll() is None
        finally:
            other.kill()


def test_an_agent_without_its_socket_is_killed(
    running: stage.Agent,
) -> None:
    """It is known by its command line."""
    running.path.unlink()
    said = _killed(running.process.pid, running.path)
    assert f"Agent pid {running.process.pid} killed" in said
    assert running.process.wait(PATIENCE) in {0, -signal.SIGTERM}
    assert "No such process" in _killed(running.process.pid, running.path)
