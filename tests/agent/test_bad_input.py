"""What no client should send: the agent goes on, others are served."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from agent import message, stage
from secretmem.agent.wire import string, strings, u32
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.needs_secretmem]

LIST = bytes([message.LIST])
MOST = 256 * 1024
ED25519 = ed25519.Ed25519PrivateKey.generate()
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
OTHER = ed25519.Ed25519PrivateKey.generate()
SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[stage.Agent]:
    """Give one agent for all tests of this file, with a key."""
    with stage.agent(tmp_path_factory.mktemp("agent")) as agent:
        assert told(agent, message.add(OTHER)) == message.SUCCESS
        yield agent
        assert agent.process.poll() is None


@pytest.fixture(autouse=True)
def still_there(running: stage.Agent) -> Iterator[None]:
    """After each test, the agent signs for another client."""
    yield
    assert told(running, message.sign(OTHER))[0] == message.SIGNATURE


def told(agent: stage.Agent, data: bytes) -> bytes:
    """Ask over a connection of its own."""
    with agent.connect() as connection:
        return stage.ask(connection, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\1",
        b"\xff",
        bytes([message.SIGN]),
        bytes([message.SIGN]) + b"\xff\xff\xff\xff",
        bytes([message.SIGN]) + strings(b"", b"") + u32(0),
        message.sign(OTHER)[:-1],
        message.sign(OTHER) + b"\0",
        message.sign(ED25519),
        bytes([message.REMOVE]),
        message.remove(ED25519),
        message.remove(OTHER) + b"\0",
        bytes([message.EXTENSION]),
        bytes([message.EXTENSION]) + string(b"unknown@example.com"),
        bytes([message.EXTENSION]) + string(b"query") + b"\0",
        bytes([20]) + strings(b"id", b"1234"),
        bytes([21]) + strings(b"id", b"1234"),
        bytes([26]) + strings(b"id", b"1234") + b"\2",
    ],
    ids=lambda data: data[:12].hex() or "empty",
)
def test_a_request_is_refused(data: bytes, running: stage.Agent) -> None:
    """It fails; the connection goes on, but after an empty message."""
    with running.connect() as connection:
        if not data:
            assert stage.ask(connection, data) == b""
            return
        assert stage.ask(connection, data) == message.FAILURE
        assert stage.ask(connection, LIST)[0] == message.IDENTITIES


def test_the_extensions(running: stage.Agent) -> None:
    """The extension "query" names them (RFC 9987, section 5.8.1)."""
    reply = told(running, bytes([message.EXTENSION]) + string(b"query"))
    names = strings(b"query", b"session-bind@openssh.com")
    assert reply == bytes([message.EXTENSION_RESPONSE]) + names


def _adds() -> dict[str, bytes]:
    """Give add messages of keys that no agent can use."""
    public = ED25519.public_key().public_bytes_raw()
    seed = ED25519.private_bytes_raw()
    numbers = RSA.private_numbers()
    other = OTHER.public_key().public_bytes_raw()
    scalar = P256.private_numbers().private_value
    point = message.fields(P256)[4 + 19 + 4 + 8 + 4 :][:65]
    curve = b"nistp256"
    kind = b"ecdsa-sha2-nistp256"
    rsa_numbers = (numbers.d, numbers.iqmp, numbers.p, numbers.q)

    def made(*parts: bytes) -> bytes:
        return bytes([message.ADD]) + b"".join(parts) + string(b"comment")

    return {
        "seed of another key": made(
            strings(b"ssh-ed25519", other, seed + other)
        ),
        "two public keys": made(strings(b"ssh-ed25519", public, seed + other)),
        "short seed": made(strings(b"ssh-ed25519", public, seed)),
        "point off the curve": made(
            strings(kind, curve, b"\4" + bytes(64)), message.number(scalar)
        ),
        "another curve": made(
            strings(kind, b"nistp384", point), message.number(scalar)
        ),
        "scalar of nothing": made(strings(kind, curve, point), string(b"")),
        "scalar of another key": made(
            strings(kind, curve, point), message.number(scalar - 1)
        ),
        "negative scalar": made(
            strings(kind, curve, point), string(b"\xff" * 32)
        ),
        "modulus of nothing": made(
            string(b"ssh-rsa"),
            string(b""),
            message.number(65537),
            *map(message.number, rsa_numbers),
        ),
        "swapped primes": made(
            string(b"ssh-rsa"),
            message.number(numbers.public_numbers.n),
            message.number(65537),
            *map(message.number, rsa_numbers[:2] + rsa_numbers[:1:-1]),
        ),
        "huge numbers": made(
            string(b"ssh-rsa"), *[string(b"\x7f" + bytes(8000))] * 6
        ),
        "short RSA": message.add(SHORT),
        "FIDO": made(
            strings(b"sk-ssh-ed25519@openssh.com", public, b"ssh:"),
            b"\1",
            strings(b"handle", b""),
        ),
        "DSA": made(string(b"ssh-dss"), *[message.number(5)] * 5),
        "certificate of another key": made(
            string(b"ssh-ed25519-cert-v01@openssh.com"),
            string(strings(b"ssh-ed25519-cert-v01@openssh.com", b"", other)),
            strings(public, seed + public),
        ),
        "certificate of nothing": made(
            string(b"ssh-rsa-cert-v01@openssh.com"),
            string(b""),
            *map(message.number, rsa_numbers),
        ),
        "no comment": message.add(ED25519)[: -4 - len(b"test")],
        "constraints without": message.add(ED25519) + b"\2",
        "unknown constraint": message.add(ED25519, constraints=b"\3"),
        "unknown extension": message.add(
            ED25519, constraints=b"\xff" + strings(b"x@example.com", b"")
        ),
        "lifetime twice": message.add(
            ED25519, constraints=b"\1\0\0\0\1\1\0\0\0\1"
        ),
        "half a lifetime": message.add(ED25519, constraints=b"\1\0\0"),
        "destinations of nothing": message.add(
            ED25519,
            constraints=b"\xff"
            + strings(b"restrict-destination-v00@openssh.com", b""),
        ),
        "empty": bytes([message.ADD]),
        "length without": bytes([message.ADD]) + b"\0\0\0\7",
        "length of all": bytes([message.ADD]) + b"\xff" * 4,
        "large": bytes([message.ADD]) + string(bytes(MOST - 100)),
    }


@pytest.mark.parametrize("name", _adds())
def test_a_key_is_refused(name: str, running: stage.Agent) -> None:
    """It fails, is not listed, and the connection goes on."""
    with running.connect() as connection:
        assert stage.ask(connection, _adds()[name]) == message.FAILURE
        listed = stage.ask(connection, LIST)
        assert int.from_bytes(listed[1:5], "big") == 1


@pytest.mark.parametrize("kind", [message.SIGN, message.ADD, message.LOCK])
@pytest.mark.parametrize("size", [MOST + 1, 2**31, 2**32 - 1])
def test_an_oversized_message_ends_the_connection(
    kind: int, size: int, running: stage.Agent
) -> None:
    """The header is enough; nothing of it is read."""
    with running.connect() as connection:
        connection.sendall(size.to_bytes(4, "big") + bytes([kind]))
        assert stage.receive(connection, 1) == b""


@pytest.mark.parametrize(
    "data",
    [
        bytes([message.LOCK]),
        bytes([message.LOCK]) + b"\0\0\0\5abc",
        bytes([message.UNLOCK]) + b"\0\0\0\2abc",
        bytes([message.LOCK]) + string(b"x" * 5000),
    ],
    ids=len,
)
def test_a_passphrase_with_a_wrong_length(
    data: bytes, running: stage.Agent
) -> None:
    """It ends the connection; the agent is not locked."""
    with running.connect() as connection:
        start = time.monotonic()
        connection.sendall(message.frame(data))
        assert stage.reply(connection) == b""
        # What is on its way is waited for for 30 seconds.
        assert time.monotonic() - start < 25


def test_an_empty_passphrase_does_not_lock(running: stage.Agent) -> None:
    """As with OpenSSH's agent."""
    assert told(running, message.lock(b"")) == message.FAILURE
    assert told(running, message.unlock(b"")) == message.FAILURE


@pytest.mark.parametrize("kind", [message.SIGN, message.ADD, message.LOCK])
def test_messages_that_never_end(kind: int, running: stage.Agent) -> None:
    """Hundreds of clients that stop in the middle hold up nobody."""
    head = (MOST - 1).to_bytes(4, "big") + bytes([kind])
    if kind == message.LOCK:
        head = (4005).to_bytes(4, "big") + bytes([kind]) + u32(4000)
    stuck = [running.connect() for _ in range(300)]
    try:
        for connection in stuck:
            connection.sendall(head + bytes(3000))
        start = time.monotonic()
        assert told(running, message.sign(OTHER))[0] == message.SIGNATURE
        assert told(running, message.add(ED25519)) == message.SUCCESS
        assert told(running, message.remove(ED25519)) == message.SUCCESS
        # A message that never ends is waited for for 30 seconds.
        assert time.monotonic() - start < 25
    finally:
        for connection in stuck:
            connection.close()


def test_large_messages_on_their_way_are_bounded(
    running: stage.Agent,
) -> None:
    """The oldest give way, so that memory does not grow without end."""
    before = _memory(running)
    stuck = [running.connect() for _ in range(100)]
    try:
        head = (MOST - 1).to_bytes(4, "big") + bytes([message.EXTENSION])
        for connection in stuck:
            with_all = head + bytes(MOST - 100)
            try:
                connection.sendall(with_all)
            except (BrokenPipeError, ConnectionResetError):
                continue
        assert told(running, LIST)[0] == message.IDENTITIES
        # A hundred such messages are 25 MiB.
        assert _memory(running) - before < 16 * 1024
    finally:
        for connection in stuck:
            connection.close()


def _memory(agent: stage.Agent) -> int:
    """Return the resident memory of the agent in KiB."""
    status = Path(f"/proc/{agent.process.pid}/status").read_text("ascii")
    line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1])


def test_thousands_of_connections(running: stage.Agent) -> None:
    """They come and go; memory and descriptors do not grow."""
    for _ in range(200):
        told(running, LIST)
    before = _memory(running)
    for number in range(3000):
        with running.connect() as connection:
            if number % 3 == 0:
                connection.sendall(b"\0\0")
            elif number % 3 == 1:
                connection.sendall(message.frame(LIST))
    told(running, LIST)
    assert _memory(running) - before < 2 * 1024
    if not os.geteuid():
        fds = Path(f"/proc/{running.process.pid}/fd")
        stage.wait_until(lambda: len(list(fds.iterdir())) < 100)


def test_a_client_that_does_not_read(running: stage.Agent) -> None:
    """Its replies wait; it is not served further; others are."""
    with running.connect() as connection:
        connection.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send(message.frame(message.sign(OTHER)))
        told(running, LIST)
        connection.settimeout(PATIENCE)
        assert stage.reply(connection)[0] == message.SIGNATURE


def test_many_requests_at_once(running: stage.Agent) -> None:
    """They are answered one by one, in their order."""
    with running.connect() as connection:
        pair = message.frame(LIST) + message.frame(message.sign(OTHER))
        connection.sendall(pair * 50)
        for _ in range(50):
            assert stage.reply(connection)[0] == message.IDENTITIES
            assert stage.reply(connection)[0] == message.SIGNATURE


def test_a_request_in_single_bytes(running: stage.Agent) -> None:
    """It is answered when the last one is there."""
    with running.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for byte in message.frame(message.sign(OTHER)):
            connection.send(bytes([byte]))
        assert stage.reply(connection)[0] == message.SIGNATURE


_VALID = [
    message.add(ED25519),
    message.add(P256, constraints=b"\1\0\0\0\5\2"),
    message.sign(OTHER),
    message.sign(ED25519),
    message.remove(ED25519),
    bytes([message.EXTENSION]) + string(b"query"),
    bytes([message.EXTENSION])
    + strings(b"session-bind@openssh.com", message.blob(OTHER), b"id", b"sig")
    + b"\0",
    LIST,
]


@some.composite
def damaged(draw: some.DrawFn) -> bytes:
    """Take a valid message and damage it."""
    data = bytearray(draw(some.sampled_from(_VALID)))
    for _ in range(draw(some.integers(0, 4))):
        at = draw(some.integers(0, len(data) - 1))
        match draw(some.sampled_from(["flip", "cut", "grow", "length"])):
            case "flip":
                data[at] ^= 1 << draw(some.integers(0, 7))
            case "cut":
                del data[max(at, 1) :]
            case "grow":
                data[at:at] = draw(some.binary(max_size=40))
            case _:
                data[at : at + 4] = draw(some.binary(min_size=4, max_size=4))
    return bytes(data)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    some.lists(some.one_of(damaged(), some.binary(min_size=1, max_size=200)))
)
def test_fuzz(running: stage.Agent, requests: list[bytes]) -> None:
    """Whatever comes, each whole message has one reply, or the end."""
    with running.connect() as connection:
        for data in requests:
            if data[:1] in {bytes([message.LOCK]), b"\x13"}:
                continue
            try:
                answer = stage.ask(connection, data)
            except BrokenPipeError:
                break
            if not answer:
                break
    assert told(running, message.sign(OTHER))[0] == message.SIGNATURE
    told(running, message.remove(ED25519))
    told(running, message.remove(P256))
