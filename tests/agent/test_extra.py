"""The second socket: status, secrets with a purpose, the Python client."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers import aead as pyca

from agent import message, stage
from secretmem import Secret, age
from secretmem.agent.client import (
    AgentError,
    AgentProtocolError,
    AgentRefusedError,
    Client,
)
from secretmem.agent.wire import string, strings
from secretmem.crypto import Hmac, aead
from secretmem.crypto.errors import InvalidSignature, InvalidTag
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-add", "ssh-keygen"),
]

KEY = bytes(range(32))
NONCE = b"n" * 12
CIPHERS = {
    "aes-gcm": (aead.AESGCM, 12),
    "aes-gcm-siv": (aead.AESGCMSIV, 12),
    "chacha20-poly1305": (aead.ChaCha20Poly1305, 12),
    "xchacha20-poly1305": (aead.XChaCha20Poly1305, 24),
}


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Path]
) -> Iterator[stage.Agent]:
    """Give an agent with secrets for each purpose."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "key").write_bytes(KEY)
    with age.Identity.generate() as identity, identity.text() as text:
        (folder / "recipient").write_text(str(identity.recipient), "utf-8")
        fd = os.open(folder / "identity", os.O_WRONLY | os.O_CREAT, 0o600)
        text.write_to(fd)
        os.close(fd)
    secrets = [f"{name}={name}:file:{folder}/key" for name in CIPHERS]
    secrets += [f"mac=hmac-sha256:file:{folder}/key"]
    secrets += [f"age=age:file:{folder}/identity"]
    secrets += [f"{kind}=sign:file:{path}" for kind, path in keys.items()]
    options = [word for each in secrets for word in ("--secret", each)]
    options += ["--allow-export", "aes-gcm", "-x", str(folder / "extra")]
    options += ["--key", str(keys["ed25519"])]
    with stage.agent(folder, *options) as agent:
        yield agent


@pytest.fixture
def client(served: stage.Agent) -> Iterator[Client]:
    """Give a client of the second socket."""
    with Client(served.path.parent / "extra", timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("name", CIPHERS)
def test_ciphers(name: str, client: Client) -> None:
    """They are of the local class, and do what it does."""
    cls, size = CIPHERS[name]
    remote = client.cipher(name)
    assert issubclass(type(remote), cls)
    local = cls(Secret.from_bytes(KEY))
    nonce = bytes(size)
    sealed = remote.encrypt(nonce, b"data", b"aad")
    assert sealed == local.encrypt(nonce, b"data", b"aad")
    room = bytearray(len(sealed))
    assert remote.encrypt_into(nonce, b"data", b"aad", room) == len(room)
    assert room == sealed
    with pytest.raises(ValueError, match="different structures"):
        remote.encrypt_into(nonce, b"data", b"aad", bytearray(5))
    assert remote.decrypt(nonce, sealed, b"aad") == b"data"
    plain = remote.decrypt_to_secret(nonce, sealed, b"aad")
    assert plain.matches(b"data")
    large = b"x" * 200_000
    sealed = remote.encrypt(nonce, large)
    assert remote.decrypt_to_secret(nonce, sealed).matches(large)
    assert remote.decrypt(nonce, remote.encrypt(nonce, b"")) == b""
    for wrong in (b"", sealed[:-1], bytes(20)):
        with pytest.raises(InvalidTag):
            remote.decrypt(nonce, wrong)
        with pytest.raises(InvalidTag):
            remote.decrypt_to_secret(nonce, wrong)


def test_pyca_agrees(client: Client) -> None:
    """What the agent seals, cryptography opens."""
    sealed = client.cipher("aes-gcm").encrypt(NONCE, b"data", b"aad")
    assert pyca.AESGCM(KEY).decrypt(NONCE, sealed, b"aad") == b"data"


def test_macs(client: Client) -> None:
    """As the local class."""
    remote = client.hmac("mac")
    assert isinstance(remote, Hmac)
    assert remote.digest_size == 32
    mac = Hmac(Secret.from_bytes(KEY)).digest(b"data")
    assert remote.digest(b"data") == mac
    remote.verify(b"data", mac)
    with pytest.raises(InvalidSignature):
        remote.verify(b"other", mac)


def test_an_integer_is_no_data(client: Client) -> None:
    """Not as many zero bytes."""
    wrong: Any = 32
    key = client.private_key("ed25519")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    with pytest.raises(TypeError):
        client.cipher("aes-gcm").encrypt(NONCE, wrong)
    with pytest.raises(TypeError):
        client.hmac("mac").digest(wrong)
    with pytest.raises(TypeError):
        client.hmac("mac").verify(b"data", wrong)
    with pytest.raises(TypeError):
        key.sign(wrong)


@pytest.mark.parametrize("kind", stage.KINDS)
def test_private_keys(kind: str, client: Client) -> None:
    """They are instances of pyca's classes; pyca verifies."""
    key = client.private_key(kind)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        key.public_key().verify(key.sign(b"data"), b"data")
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = ec.ECDSA(hashes.SHA256())
        signature = key.sign(b"data", algorithm)
        key.public_key().verify(signature, b"data", algorithm)
    else:
        assert isinstance(key, rsa.RSAPrivateKey)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        for pad in (pss, padding.PKCS1v15()):
            signature = key.sign(b"data", pad, hashes.SHA256())
            public = key.public_key()
            public.verify(signature, b"data", pad, hashes.SHA256())
    with pytest.raises(TypeError, match="in the agent"):
        key.pkcs8() if kind != "ed25519" else key.seed()  # type: ignore[union-attr]  # refused


def test_age_files(served: stage.Agent, client: Client) -> None:
    """They are opened into secret memory."""
    recipient = (served.path.parent / "recipient").read_text("utf-8")
    sealed = age.encrypt(b"content", [age.parse_recipient(recipient)])
    assert client.open_age("age", sealed).matches(b"content")
    with pytest.raises(AgentRefusedError):
        client.open_age("age", sealed[:-1])


def test_only_for_its_purpose(client: Client) -> None:
    """A key for one thing does nothing else."""
    with pytest.raises(AgentRefusedError):
        client.cipher("mac")
    with pytest.raises(AgentRefusedError):
        client.hmac("aes-gcm")
    for extension, name, parts in (
        ("seal", "mac", (NONCE, b"", b"data")),
        ("open", "ed25519", (NONCE, b"", bytes(32))),
        ("mac", "aes-gcm", (b"data",)),
        ("sign", "aes-gcm", ("ed25519", b"data")),
        ("sign", "ed25519", ("ecdsa", bytes(32))),
        ("sign", "rsa", ("pkcs1 sha256", b"short")),
        ("sign", "rsa", ("pss sha256 sha256 99999", bytes(32))),
        ("sign", "rsa", ("pss sha256 sha256 -1", bytes(32))),
        ("sign", "rsa", ("", bytes(32))),
        ("public", "aes-gcm", ()),
        ("age-open", "aes-gcm", (b"file",)),
        ("seal", "no such", (NONCE, b"", b"data")),
        ("seal", "aes-gcm", (b"short", b"", b"data")),
        ("seal", "aes-gcm", (NONCE, b"")),
    ):
        with pytest.raises(AgentRefusedError):
            client.extension(extension, name, *parts)


def test_a_secret_is_handed_over(client: Client) -> None:
    """By a descriptor, and only one that --allow-export names."""
    assert client.take("aes-gcm").matches(KEY)
    for name in ("mac", "no such"):
        with pytest.raises(AgentRefusedError):
            client.take(name)
    # The connection goes on.
    assert client.take("aes-gcm").matches(KEY)


def test_never_on_the_first_socket(served: stage.Agent) -> None:
    """What a forwarded host could reach knows none of it."""
    with served.connect() as connection:
        for name in (b"status", b"seal", b"export", b"sign", b"public"):
            request = strings(name + b"@secretmem", b"aes-gcm")
            request = bytes([message.EXTENSION]) + request
            assert stage.ask(connection, request) == message.FAILURE
        query = bytes([message.EXTENSION]) + string(b"query")
        assert b"@secretmem" not in stage.ask(connection, query)


def test_the_client_of_any_agent(
    served: stage.Agent, keys: dict[str, Path]
) -> None:
    """It lists, signs, locks and unlocks over the first socket."""
    with Client(served.path) as client:
        (listed,) = client.identities()
        assert listed.comment == str(keys["ed25519"])
        fields = client.sign(listed.blob, b"data")
        assert fields.startswith(string(b"ssh-ed25519"))
        with pytest.raises(AgentRefusedError):
            client.sign(b"no such key", b"data")
        passphrase = Secret.from_bytes(b"passphrase")
        client.lock(passphrase)
        assert client.identities() == []
        with pytest.raises(AgentRefusedError):
            client.unlock(Secret.from_bytes(b"wrong"))
        client.unlock(passphrase)
        assert client.identities() == [listed]


def test_locked_it_does_nothing(served: stage.Agent, client: Client) -> None:
    """The second socket is locked with the first."""
    cipher = client.cipher("aes-gcm")
    passphrase = Secret.from_bytes(b"passphrase")
    with Client(served.path) as first:
        first.lock(passphrase)
        with pytest.raises(AgentRefusedError):
            cipher.encrypt(NONCE, b"data")
        with pytest.raises(AgentRefusedError):
            client.status()
        first.unlock(passphrase)
    assert cipher.encrypt(NONCE, b"data")


def test_status(served: stage.Agent, keys: dict[str, Path]) -> None:
    """The table and the JSON: keys, uses, secrets, protection."""
    served.add("-T", f"{keys['ed25519']}.pub")
    program = [sys.executable, "-m", "secretmem.cli.main", "agent", "status"]
    env = {"SECRETMEM_AGENT_SOCK": str(served.path.parent / "extra")}
    found = json.loads(stage.run(*program, "--json", env=env))
    (key,) = found["keys"]
    assert key["fingerprint"] == stage.fingerprint(keys["ed25519"])
    assert key["uses"] >= 1
    assert found["pid"] == served.process.pid
    assert found["protection"]["backend"] == "memfd_secret"
    assert found["protection"]["dumpable"] is False
    said = stage.run(*program, env=env)
    assert key["fingerprint"] in said
    assert "protection: memfd_secret" in said
    assert f"sign {key['fingerprint']}" in said
    assert "hmac-sha256" in said
    said = stage.run(*program, env={"SECRETMEM_AGENT_SOCK": ""}, check=False)
    assert "SECRETMEM_AGENT_SOCK is not set" in said


def test_status_tells_constraints(tmp_path: Path) -> None:
    """Lifetime and confirmation of a key are in the table."""
    extra = tmp_path / "extra"
    key = stage.make_key(tmp_path, "p256")
    with stage.agent(tmp_path, "-x", extra) as agent:
        agent.add("-t", "7200", "-c", key)
        program = (sys.executable, "-m", "secretmem.cli.main", "agent")
        said = stage.run(*program, "status", "-x", extra)
        assert "asks each time" in said
        assert re.search(r"\b11\d min\b", said), said
        assert "p256 key" in said


@pytest.mark.parametrize(
    "secret, said",
    [
        ("nothing", "NAME=PURPOSE:SOURCE"),
        ("a=b", "NAME=PURPOSE:SOURCE"),
        ("a=magic:file:/x", "no purpose"),
        ("a=aes-gcm:nowhere:/x", "nowhere"),
        ("a=aes-gcm:file:/no/such", "No such file"),
        ("a=sign:file:/dev/null", ""),
        ("a=aes-gcm:file:/dev/null", ""),
    ],
)
def test_secrets_that_are_none(secret: str, said: str, tmp_path: Path) -> None:
    """The agent does not start, and says why."""
    program = (sys.executable, "-m", "secretmem.cli.main", "agent", "-D")
    path = tmp_path / "sock"
    told = stage.run(*program, "-a", path, "--secret", secret, check=False)
    assert said in told
    assert "secretmem: " in told
    assert "Traceback" not in told
    assert not path.exists()


def test_names_of_secrets(tmp_path: Path) -> None:
    """A name is used once, and --allow-export names one that is there."""
    (tmp_path / "key").write_bytes(KEY)
    one = ("--secret", f"a=aes-gcm:file:{tmp_path}/key")
    program = (sys.executable, "-m", "secretmem.cli.main", "agent")
    told = stage.run(*program, *one, *one, check=False)
    assert "two secrets are called 'a'" in told
    told = stage.run(*program, *one, "--allow-export", "b", check=False)
    assert "names no secret: 'b'" in told


def test_key_files_in_age_files(tmp_path: Path) -> None:
    """--key with --identity; without one it says so."""
    key = stage.make_key(tmp_path, "ed25519")
    sealed = tmp_path / "key.age"
    with age.Identity.generate() as identity, identity.text() as text:
        content = key.read_bytes()
        sealed.write_bytes(age.encrypt(content, [identity.recipient]))
        fd = os.open(tmp_path / "identity", os.O_WRONLY | os.O_CREAT, 0o600)
        text.write_to(fd)
        os.close(fd)
    options = ("--key", sealed, "--identity", tmp_path / "identity")
    with stage.agent(tmp_path, *options) as agent:
        assert stage.fingerprint(key) in agent.add("-l")
        agent.end()
    program = (sys.executable, "-m", "secretmem.cli.main", "agent")
    told = stage.run(*program, "--key", sealed, check=False)
    assert "secretmem: " in told
    assert "Traceback" not in told


def test_no_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The errors say what is missing."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(AgentError, match="SSH_AUTH_SOCK is not set"):
        Client()
    with pytest.raises(AgentError, match="No such file"):
        Client(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "reply",
    [b"", b"\0", b"\0\0\0\0\0", b"\xff" * 5, b"\0\0\0\6\14\0\0\0\1\0"],
)
def test_replies_that_are_none(reply: bytes, tmp_path: Path) -> None:
    """A client of a broken agent says so."""
    import socket
    import threading

    path = tmp_path / "broken"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        client = Client(path, timeout=PATIENCE)
        with client, pytest.raises(AgentProtocolError):
            client.identities()
        thread.join()
