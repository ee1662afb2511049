"""paramiko with private keys of ours: real connections on a socket pair."""

from __future__ import annotations

import io
import socket
import threading
from typing import Any

import paramiko
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec

from secretmem import ClosedError, keys, posture
from secretmem.contrib.paramiko import Ed25519Key, RSAKey, pkey
from support.patience import PATIENCE


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


class _Server(paramiko.ServerInterface):  # type: ignore[misc]  # no types
    """Lets one key in."""

    def __init__(self, allowed: bytes) -> None:
        self._allowed = allowed

    def get_allowed_auths(self, _username: str) -> str:
        """Tell how."""
        return "publickey"

    def check_auth_publickey(self, _username: str, key: Any) -> int:  # noqa: ANN401 - paramiko's own
        """Look at the key; paramiko checks the signature."""
        if key.asbytes() == self._allowed:
            return int(paramiko.AUTH_SUCCESSFUL)
        return int(paramiko.AUTH_FAILED)


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_of_a_connection(kind: str) -> None:
    """The server's key and the client's are ours; nothing is exported."""
    host, user = _key(kind), _key(kind)
    before = posture().exports
    ours, theirs = socket.socketpair()
    server, client = paramiko.Transport(theirs), paramiko.Transport(ours)
    for side in (server, client):
        for name in ("banner", "handshake", "auth", "channel"):
            setattr(side, f"{name}_timeout", PATIENCE)
    public = paramiko.PKey.from_type_string(
        pkey(host).get_name(), pkey(host).asbytes()
    )
    try:
        server.add_server_key(pkey(host))
        ready = threading.Event()
        server.start_server(ready, _Server(pkey(user).asbytes()))
        # Verifies the host's signature with paramiko's own public key.
        client.connect(hostkey=public, username="user", pkey=pkey(user))
        assert ready.wait(PATIENCE)
        assert client.is_authenticated()
    finally:
        for each in (client, server):
            each.close()
            each.join(PATIENCE)
        ours.close()
        theirs.close()
    assert posture().exports == before


@pytest.mark.parametrize("kind", KINDS)
def test_signatures(kind: str) -> None:
    """Paramiko verifies them; another message's are wrong."""
    key = _key(kind)
    made = pkey(key)
    assert made.can_sign()
    signature = made.sign_ssh_data(b"message").asbytes()
    public = paramiko.PKey.from_type_string(made.get_name(), made.asbytes())
    assert public.verify_ssh_sig(b"message", paramiko.Message(signature))
    assert not public.verify_ssh_sig(b"other", paramiko.Message(signature))
    line = key.public_key().public_bytes(
        forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
    )
    assert made.get_base64() == line.split()[1].decode()
    key.close()
    with pytest.raises(ClosedError):
        made.sign_ssh_data(b"message")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_are_not_written(kind: str) -> None:
    """
    Paramiko would write the plain key.

    With a passphrase it asks for the traditional form, whose derivation is
    one round of MD5; that is not made.
    """
    for words in (None, "correct horse"):
        target = io.StringIO()
        with pytest.raises((TypeError, UnsupportedAlgorithm)):
            pkey(_key(kind)).write_private_key(target, words)
        assert target.getvalue() == ""


def test_other_keys_are_refused() -> None:
    """The error says which there are."""
    with pytest.raises(TypeError, match="Ed25519, RSA or EC"):
        pkey(keys.X25519PrivateKey.generate())  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TypeError, match="Ed25519PrivateKey, not bytes"):
        Ed25519Key(bytes(32))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(TypeError, match="RSAPrivateKey, not Ed25519Private"):
        RSAKey(_key("ed25519"))
    assert "memfd_secret" in repr(pkey(_key("ed25519")))
