"""Clients that are slow, half gone or many keep nobody else from the agent."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from agent import message, stage
from secretmem import Secret
from secretmem.agent import server
from secretmem.agent.lock import Lock
from secretmem.agent.loop import Loop
from secretmem.agent.peer import Peer
from secretmem.agent.session import Session
from secretmem.agent.state import State
from secretmem.agent.uses import Uses
from secretmem.agent.wire import string
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from secretmem.agent.session import Reply

pytestmark = pytest.mark.needs_secretmem

LIST = bytes([message.LIST])
LARGE = 200_000


class Talkative(Session):
    """A session whose replies do not fit into a socket's buffer."""

    def handle(self, kind: int, body: bytes) -> Reply:
        """Answer much."""
        del kind, body
        return bytes(4 * LARGE)


class Served:
    """A server in a thread of this process."""

    def __init__(self) -> None:
        self.loop = Loop()
        state = State.new(self.loop, Uses(self.loop), None)
        self.server = server.Server(state)
        self.ends: list[socket.socket] = []

    def client(self, kind: type[Session] = Session) -> socket.socket:
        """Return a connection; to be called before `running`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        ours.settimeout(PATIENCE)
        peer = Peer(os.getpid(), os.geteuid(), "test")
        self.server.adopt(theirs, kind(self.server.state, peer))
        self.ends.append(ours)
        return ours

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve during the block."""
        bell = os.eventfd(0)
        self.loop.watch(bell, select.EPOLLIN, lambda _: self.loop.stop())
        thread = threading.Thread(target=self.loop.run)
        thread.start()
        try:
            yield
        finally:
            os.eventfd_write(bell, 1)
            thread.join()
            os.close(bell)
            self.server.pause()
            for each in self.ends:
                each.close()
            for connection in self.server.let_go():
                connection.close()


def _is_at_its_end(connection: socket.socket) -> bool:
    """Read what is left; tell whether that was an end and no reply."""
    size = 0
    while size < 4 * LARGE:
        piece = connection.recv(1 << 20)
        if not piece:
            return True
        size += len(piece)
    return False


def test_a_client_that_sends_no_more(running: stage.Agent) -> None:
    """It shuts down its sending side and gets a reply that took time."""
    key = rsa.generate_private_key(65537, 2048)
    with running.connect() as connection:
        assert stage.ask(connection, message.add(key)) == message.SUCCESS
        connection.sendall(message.frame(message.sign(key)))
        connection.shutdown(socket.SHUT_WR)
        assert stage.reply(connection)[0] == message.SIGNATURE
        assert stage.reply(connection) == b""


def test_a_client_that_reads_no_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is let go after a while; one that reads is not."""
    monkeypatch.setattr(server, "_PATIENCE", 0.0)
    served = Served()
    deaf, other = served.client(Talkative), served.client()
    with served.running():
        deaf.sendall(message.frame(LIST))
        hung_up = select.poll()
        hung_up.register(deaf, select.POLLRDHUP)
        assert hung_up.poll(PATIENCE * 1000)
        assert _is_at_its_end(deaf)
        assert stage.ask(other, LIST)[0] == message.IDENTITIES


def test_secrets_on_their_way_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Adds that never end leave room to lock and unlock; the oldest ends."""
    monkeypatch.setattr(server, "_room_for_messages", lambda: 100_000)
    served = Served()
    stuck = [served.client() for _ in range(40)]
    other = served.client()
    head = (60_000).to_bytes(4, "big") + bytes([message.ADD])
    with served.running():
        for connection in stuck:
            connection.sendall(head + bytes(20_000))
            # What was sent has been read when this is answered.
            for _ in range(2):
                assert stage.ask(other, LIST)[0] == message.IDENTITIES
        assert served.server._locked <= 100_000
        assert stage.receive(stuck[0], 1) == b""
        for request in (message.lock(b"pw"), message.unlock(b"pw")):
            assert stage.ask(other, request) == message.SUCCESS
        # The newest one still waits for its end.
        ready, _, _ = select.select([stuck[-1]], [], [], 0)
        assert not ready


def test_guesses_take_turns() -> None:
    """One process guesses without end; another waits for one of these."""
    loop = Loop()
    lock = Lock(loop)
    assert lock.lock(Secret.from_bytes(b"right"))
    verdicts: list[tuple[str, bool]] = []

    def guess(word: bytes, pid: int, name: str) -> None:
        def done(fits: bool) -> None:  # noqa: FBT001 - a verdict
            verdicts.append((name, fits))
            if len(verdicts) == 13:
                loop.stop()

        lock.unlock(Secret.from_bytes(word), pid, done)

    for number in range(12):
        guess(b"wrong", 1, f"guesser {number}")
    # Some did not even get in.
    assert verdicts == [(f"guesser {n}", False) for n in (9, 10, 11)]
    guess(b"right", 2, "user")
    loop.run()
    assert verdicts[3:5] == [("guesser 0", False), ("user", True)]
    assert not lock.locked


def test_a_guess_that_is_taken_back() -> None:
    """Its turn passes to the next."""
    loop = Loop()
    lock = Lock(loop)
    assert lock.lock(Secret.from_bytes(b"right"))
    verdicts: list[bool] = []
    lock.unlock(Secret.from_bytes(b"wrong"), 1, verdicts.append)
    take_back = lock.unlock(Secret.from_bytes(b"wrong"), 1, verdicts.append)

    def last(fits: bool) -> None:  # noqa: FBT001 - a verdict
        verdicts.append(fits)
        loop.stop()

    lock.unlock(Secret.from_bytes(b"right"), 1, last)
    take_back()
    loop.run()
    assert verdicts == [False, True]


def test_a_signal_during_the_start(tmp_path: Path) -> None:
    """The agent has a socket and waits for a key file: it removes it."""
    path, fifo = tmp_path / "agent.sock", tmp_path / "key"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "secretmem.cli.main", "agent", "-D"]
    with subprocess.Popen(
        [*command, "-a", path, "--key", fifo], stdout=subprocess.DEVNULL
    ) as process:
        try:
            stage.wait_until(path.exists)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"{}",
        b'{"schema": 2}',
        b"[" * 200_000,
        b'{"schema": 1}',
        b'{"schema": 1, "secrets": 5}',
        b'{"schema": 1, "secrets": [5]}',
    ],
    ids=len,
)
def test_a_status_that_is_none(text: bytes, tmp_path: Path) -> None:
    """A client of such an agent says so, in its own words."""
    from secretmem.agent.client import AgentProtocolError, Client

    path = tmp_path / "broken"
    answer = bytes([message.EXTENSION_RESPONSE])
    answer += string(b"status@secretmem") + string(text)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(message.frame(answer))

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            Client(path, timeout=PATIENCE) as client,
            pytest.raises(AgentProtocolError),
        ):
            client.cipher("name")
        said = stage.run(
            *(sys.executable, "-m", "secretmem.cli.main", "agent"),
            *("status", "-x", path),
            check=False,
        )
        thread.join()
    assert "status" in said
    assert "Traceback" not in said
