"""asyncssh with private keys of ours: real connections on the loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec

from secretmem import ClosedError, keys, posture
from secretmem.contrib.asyncssh import KeyPair


pytestmark = pytest.mark.needs_secretmem

KINDS = ("ed25519", "p256", "p384", "p521", "rsa")
CURVES = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}


def _key(kind: str) -> Any:  # noqa: ANN401 - one of three classes
    if kind == "ed25519":
        return keys.Ed25519PrivateKey.generate()
    if kind == "rsa":
        return keys.RSAPrivateKey.generate(2048)
    return keys.EllipticCurvePrivateKey.generate(CURVES[kind])


def _line(key: Any) -> str:  # noqa: ANN401 - as above
    line: bytes = key.public_key().public_bytes(
        forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    )
    return line.decode()


async def _echo(process: Any) -> None:  # noqa: ANN401 - asyncssh's own
    process.stdout.write(process.command + "\n")
    process.exit(0)


async def _connected(host: Any, user: Any, *algorithms: str) -> str:  # noqa: ANN401 - as above
    """Connect to a server of our own; tell what a command printed."""
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[KeyPair(host)],
        authorized_client_keys=asyncssh.import_authorized_keys(_line(user)),
        process_factory=_echo,
        signature_algs=algorithms or (),
    )
    async with listener:
        port = listener.get_port()
        known = asyncssh.import_known_hosts(
            f"[127.0.0.1]:{port} {_line(host)}"
        )
        async with asyncssh.connect(
            "127.0.0.1",
            port,
            username="user",
            client_keys=[KeyPair(user, "comment")],
            known_hosts=known,
            config=None,
            agent_path=None,
        ) as connection:
            done = await connection.run("hello", check=True)
    return str(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_of_a_connection(kind: str) -> None:
    """The server's key and the client's are ours; nothing is exported."""
    host, user = _key(kind), _key(kind)
    before = posture().exports
    assert asyncio.run(_connected(host, user)) == "hello\n"
    assert posture().exports == before


@pytest.mark.parametrize("name", ["rsa-sha2-256", "rsa-sha2-512"])
def test_both_hashes_of_rsa(name: str) -> None:
    """The server chooses; asyncssh's own key verifies."""
    key = _key("rsa")
    pair = KeyPair(key)
    pair.set_sig_algorithm(name.encode())
    signature = pair.sign(b"message")
    public = asyncssh.import_public_key(_line(key))
    assert name.encode() in signature
    assert public.verify(b"message", signature)
    assert not public.verify(b"other", signature)
    assert asyncio.run(_connected(key, key, name)) == "hello\n"


@pytest.mark.parametrize("kind", KINDS)
def test_signatures(kind: str) -> None:
    """Asyncssh verifies them; a closed key makes none."""
    key = _key(kind)
    pair = KeyPair(key, "comment")
    public = asyncssh.import_public_key(_line(key))
    assert pair.public_data == public.public_data
    assert pair.get_comment() == "comment"
    assert public.verify(b"message", pair.sign(b"message"))
    with pytest.raises(TypeError, match="does not leave"):
        pair.get_agent_private_key()
    assert "memfd_secret" in repr(pair)
    key.close()
    with pytest.raises(ClosedError):
        pair.sign(b"message")


def test_other_keys_are_refused() -> None:
    """The error says which there are."""
    with pytest.raises(TypeError, match="Ed25519, RSA or EC"):
        KeyPair(keys.X25519PrivateKey.generate())  # type: ignore[arg-type]  # the mistake
