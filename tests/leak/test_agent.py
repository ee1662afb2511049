"""
A running ``secretmem agent`` keeps nothing of its keys in readable memory.

A key is sent, used and removed, and the agent scanned from outside at each
step; on ways that fail too. The control sends the same bytes so that they
must lie in ordinary memory, and the same scanner has to find them there; a
second control is OpenSSH's ssh-agent.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, cast

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.ciphers import aead as pyca

from agent import message, stage
from leak.driver import looked, only_secret_refused
from leak.material import KINDS
from leak.needle import Needle, random_text
from secretmem.agent.client import AgentRefusedError, Client


if TYPE_CHECKING:
    from pathlib import Path

    from leak.material import Material

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    pytest.mark.needs_root,
]

SIGNATURES = {"ed25519": 1000, "p256": 1000, "p384": 200, "rsa": 200}


def _key(material: Material) -> message.PrivateKey:
    key = forms.load_pem_private_key(material.texts()["pem"], None)
    return cast("message.PrivateKey", key)


def _found(pid: int, needle: Needle) -> list[str]:
    """Say what of a needle is readable in a process."""
    scan, registers = looked(pid, [needle])
    assert only_secret_refused(scan.refused)
    return sorted(map(str, scan.hits | registers))


@pytest.mark.parametrize("kind", SIGNATURES)
def test_a_key_is_added_used_and_removed(
    kind: str, running: stage.Agent
) -> None:
    """After the add, after many signatures and after the end: nothing."""
    material = KINDS[kind]()
    key = _key(material)
    pid = running.process.pid
    with running.connect() as connection:
        assert stage.ask(connection, message.add(key)) == message.SUCCESS
        assert _found(pid, material) == []
        request = message.sign(key)
        for _ in range(SIGNATURES[kind]):
            reply = stage.ask(connection, request)
            assert reply[0] == message.SIGNATURE
        assert _found(pid, material) == []
        assert stage.ask(connection, message.remove(key)) == message.SUCCESS
        assert _found(pid, material) == []


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_adds_that_fail(kind: str, running: stage.Agent) -> None:
    """A damaged, a refused and a broken-off message leave nothing."""
    material = KINDS[kind]()
    key = _key(material)
    pid = running.process.pid
    whole = message.add(key)
    with running.connect() as connection:
        for bad in (
            whole[:-20],
            whole[:40] + whole[60:],
            message.add(key, constraints=b"\x77"),
            message.add(key, constraints=b"\1\0"),
            whole + b"\2",
        ):
            assert stage.ask(connection, bad) == message.FAILURE
        assert _found(pid, material) == []
        stage.ask(connection, message.lock(b"lock"))
        assert stage.ask(connection, whole) == message.FAILURE
        assert _found(pid, material) == []
    with running.connect() as connection:
        connection.sendall(message.frame(whole)[:-30])
        _let_it_read(running)
        assert _found(pid, material) == []
    _let_it_read(running)
    assert _found(pid, material) == []


def test_a_message_in_many_pieces(running: stage.Agent) -> None:
    """A key that comes byte by byte is at no time readable."""
    material = KINDS["ed25519"]()
    frame = message.frame(message.add(_key(material)))
    with running.connect() as connection:
        for at in range(len(frame)):
            connection.sendall(frame[at : at + 1])
            if at % 40 == 0:
                _let_it_read(running)
                assert _found(running.process.pid, material) == []
        assert stage.reply(connection) == message.SUCCESS
    assert _found(running.process.pid, material) == []


def test_passphrases_of_the_lock(running: stage.Agent) -> None:
    """Neither the right nor a wrong one is readable."""
    right, wrong = random_text(24), random_text(24)
    needles = [Needle(word, ("plain", "reversed")) for word in (right, wrong)]
    pid = running.process.pid
    with running.connect() as connection:
        assert stage.ask(connection, message.lock(right)) == message.SUCCESS
        assert all(_found(pid, each) == [] for each in needles)
        assert stage.ask(connection, message.unlock(wrong)) == message.FAILURE
        assert all(_found(pid, each) == [] for each in needles)
        assert stage.ask(connection, message.unlock(right)) == message.SUCCESS
        assert all(_found(pid, each) == [] for each in needles)


def test_secrets_of_the_second_socket(tmp_path: Path) -> None:
    """Neither the keys, nor what they become, nor what was opened."""
    material = KINDS["symmetric"]()
    texts = material.texts()
    (tmp_path / "key").write_bytes(texts["key"])
    words = ("cipher=aes-gcm", "mac=hmac-sha256")
    secrets = [f"{word}:file:{tmp_path}/key" for word in words]
    options = [word for each in secrets for word in ("--secret", each)]
    options += ["--allow-export", "cipher", "-x", str(tmp_path / "extra")]
    sealed = pyca.AESGCM(texts["key"]).encrypt(bytes(12), texts["plain"], b"")
    with stage.agent(tmp_path, *options) as agent:
        pid = agent.process.pid
        assert _found(pid, material) == []
        with Client(tmp_path / "extra") as client:
            cipher, mac = client.cipher("cipher"), client.hmac("mac")
            for _ in range(200):
                plain = cipher.decrypt_to_secret(bytes(12), sealed)
                mac.digest(b"a message that is not secret")
            assert plain.matches(texts["plain"])
            assert _found(pid, material) == []
            assert client.take("cipher").matches(texts["key"])
            assert _found(pid, material) == []
        agent.process.send_signal(signal.SIGUSR1)
        _let_it_read(agent)
        assert _found(pid, material) == []


def test_a_key_file(tmp_path: Path) -> None:
    """A key of --key leaves nothing."""
    material = KINDS["ed25519"]()
    path = tmp_path / "key"
    path.write_bytes(material.texts()["pem"])
    with stage.agent(tmp_path, "--key", path) as agent:
        assert _found(agent.process.pid, material) == []


@pytest.mark.parametrize("kind", ["ed25519", "p256", "rsa"])
def test_an_agent_that_sleeps(kind: str, tmp_path: Path) -> None:
    """Sealed, asleep, after a wrong passphrase and awake again: nothing."""
    material = KINDS[kind]()
    key = _key(material)
    words = [random_text(24), random_text(24), random_text(24)]
    passphrase, wrong, lock = words
    needles = [material, *(Needle(x, ("plain", "reversed")) for x in words)]
    path = tmp_path / "passphrase"
    path.write_bytes(passphrase)
    options = ("--hibernation=allow", "--hibernation-key", f"file:{path}")
    extra = tmp_path / "extra"
    with (
        stage.agent(tmp_path, *options, "-x", extra) as agent,
        agent.connect() as connection,
    ):
        pid = agent.process.pid

        def is_clean() -> bool:
            return all(_found(pid, each) == [] for each in needles)

        stage.ask(connection, message.add(key))
        stage.ask(connection, message.lock(lock))
        assert is_clean()
        with Client(extra) as client:
            client.sleep()
            assert is_clean()
            path.write_bytes(wrong)
            with pytest.raises(AgentRefusedError):
                client.wake()
            assert is_clean()
            path.write_bytes(passphrase)
            client.wake()
        assert is_clean()
        stage.ask(connection, message.unlock(lock))
        reply = stage.ask(connection, message.sign(key))
        assert reply[0] == message.SIGNATURE
        assert is_clean()


@pytest.mark.parametrize("kind", SIGNATURES)
def test_control(kind: str, running: stage.Agent) -> None:
    """The same bytes in a message that holds no secret are found."""
    material = KINDS[kind]()
    content = message.add(_key(material))[1:]
    pretended = bytes([message.EXTENSION]) + content
    with running.connect() as connection:
        # The last byte is missing: the agent has to keep the others.
        connection.sendall(message.frame(pretended)[:-1])
        _let_it_read(running)
        assert _found(running.process.pid, material) != []


@pytest.mark.needs_tool("ssh-agent")
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_control_on_openssh(kind: str, tmp_path: Path) -> None:
    """OpenSSH's agent has a key in ordinary memory while it arrives."""
    material = KINDS[kind]()
    frame = message.frame(message.add(_key(material)))
    path = tmp_path / "openssh.sock"
    command: list[str | Path] = ["ssh-agent", "-D", "-a", path]
    with (
        stage.serving(command, path, tmp_path / "log") as agent,
        agent.connect() as connection,
    ):
        connection.sendall(frame[:-1])
        _let_it_read(agent)
        assert _found(agent.process.pid, material) != []


def _let_it_read(agent: stage.Agent) -> None:
    """Return when the agent has read what was sent before."""
    with agent.connect() as other:
        for _ in range(2):
            assert stage.ask(other, bytes([message.LIST]))[0] == 12
