"""Keys that work towards some hosts only: ssh-add -h."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
    utils,
)

from agent import message, stage
from secretmem.agent.wire import string, strings


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh", "ssh-add", "ssh-keygen", "sshd"),
]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[stage.Server]]:
    """Give two servers with host keys of their own."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    with stage.server(folders[0]) as first, stage.server(folders[1]) as other:
        # Each is known by both ways to it.
        both = first.known.read_text("utf-8") + other.known.read_text("utf-8")
        for each in (first, other):
            each.known.write_text(both, "utf-8")
        yield [first, other]


def _restricted(
    agent: stage.Agent, key: Path, known: Path, *ways: str
) -> None:
    options = [word for way in ways for word in ("-h", way)]
    agent.add("-H", known, *options, key)


def _name(server: stage.Server) -> str:
    return f"[127.0.0.1]:{server.port}"


def test_one_host(
    running: stage.Agent, servers: list[stage.Server], keys: dict[str, Path]
) -> None:
    """A key for the first server does not log in to the second."""
    key = keys["ed25519"]
    public = key.with_suffix(".pub").read_text("utf-8")
    for server in servers:
        server.authorise(public)
    _restricted(running, key, servers[0].known, _name(servers[0]))
    assert stage.fingerprint(key) in running.add("-l")
    assert servers[0].ssh(running, "echo", "in") == "in\n"
    assert "denied" in servers[1].ssh(running, "echo", "in", check=False)
    # Nor does it sign anything that is no login.
    said = running.add("-T", f"{key}.pub", check=False)
    assert "Agent signature failed" in said
    _, log = running.end()
    assert "refuse SHA256" in log


def test_one_user(
    running: stage.Agent, servers: list[stage.Server], keys: dict[str, Path]
) -> None:
    """A key for a user of the server is for no other."""
    key = keys["ed25519"]
    server = servers[0]
    server.authorise(key.with_suffix(".pub").read_text("utf-8"))
    way = f"nobody-else@{_name(server)}"
    _restricted(running, key, server.known, way)
    assert "denied" in server.ssh(running, "echo", "in", check=False)
    way = f"{server.user}@{_name(server)}"
    _restricted(running, key, server.known, way)
    assert server.ssh(running, "echo", "in") == "in\n"


def test_a_forwarded_way(
    running: stage.Agent, servers: list[stage.Server], keys: dict[str, Path]
) -> None:
    """Over the first server to the second, as far as it is allowed."""
    key = keys["ed25519"]
    first, second = servers
    public = key.with_suffix(".pub").read_text("utf-8")
    for server in servers:
        server.authorise(public)
    further = " ".join(
        ["ssh", *second.options, "-p", str(second.port), "127.0.0.1"]
    )
    command = f"ssh-add -l; {further} echo further"
    _restricted(running, key, first.known, _name(first))
    said = first.ssh(running, command, options=("-A",), check=False)
    # It ends at the first server and is not even seen there.
    assert "no identities" in said
    assert "further" not in said
    way = f"{_name(first)}>{_name(second)}"
    _restricted(running, key, first.known, _name(first), way)
    said = first.ssh(running, command, options=("-A",))
    assert stage.fingerprint(key) in said
    assert said.endswith("further\n")
    # A forwarded connection may not replace or remove what it cannot see.
    _restricted(running, key, first.known, _name(first))
    said = first.ssh(running, "ssh-add -D", options=("-A",), check=False)
    assert "removed" in said


def test_a_host_with_a_certificate(
    running: stage.Agent, keys: dict[str, Path], tmp_path: Path
) -> None:
    """The host is known by the authority that signed its key."""
    folder = tmp_path / "certified"
    folder.mkdir()
    authority = stage.make_key(tmp_path, "p256", "authority")
    more = f"HostCertificate {folder}/host_key-cert.pub\n"
    host_key = stage.make_key(folder, "ed25519", "host_key")
    stage.certify(authority, host_key, "-h", "-n", "good.example")
    with stage.server(folder, more) as server:
        public = authority.with_suffix(".pub").read_text("utf-8")
        names = "good.example,bad.example"
        server.known.write_text(f"@cert-authority {names} {public}", "utf-8")
        key = keys["ed25519"]
        server.authorise(key.with_suffix(".pub").read_text("utf-8"))
        _restricted(running, key, server.known, "good.example")
        alias = ("-oHostKeyAlias=good.example",)
        assert server.ssh(running, "echo", "in", options=alias) == "in\n"
        _restricted(running, key, server.known, "bad.example")
        said = server.ssh(running, "echo", options=alias, check=False)
        assert "denied" in said


SESSION = b"session identifier"
HOSTS: dict[str, message.PrivateKey] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
}


def _signature(key: message.PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return strings(b"ssh-ed25519", key.sign(data))
    if isinstance(key, rsa.RSAPrivateKey):
        value = key.sign(data, padding.PKCS1v15(), hashes.SHA512())
        return strings(b"rsa-sha2-512", value)
    algorithms: dict[int, hashes.HashAlgorithm] = {
        256: hashes.SHA256(),
        384: hashes.SHA384(),
        521: hashes.SHA512(),
    }
    signature = key.sign(data, ec.ECDSA(algorithms[key.key_size]))
    numbers = utils.decode_dss_signature(signature)
    pair = b"".join(map(message.number, numbers))
    return strings(f"ecdsa-sha2-nistp{key.key_size}".encode(), pair)


def _bind(
    key: message.PrivateKey,
    session: bytes = SESSION,
    *,
    forwarded: bool = False,
    signed: bytes | None = None,
) -> bytes:
    signature = _signature(key, session if signed is None else signed)
    return (
        bytes([message.EXTENSION])
        + strings(b"session-bind@openssh.com", message.blob(key))
        + strings(session, signature)
        + bytes([forwarded])
    )


@pytest.mark.parametrize("kind", HOSTS)
def test_a_session_is_bound(kind: str, running: stage.Agent) -> None:
    """By a host key of each kind; a wrong signature is refused."""
    key = HOSTS[kind]
    with running.connect() as connection:
        bad = _bind(key, signed=b"another session")
        assert stage.ask(connection, bad) == message.EXTENSION_FAILURE
        assert stage.ask(connection, _bind(key)) == message.SUCCESS
        # A connection that is bound for a login is at its end.
        again = _bind(HOSTS["ed25519"], b"another")
        assert stage.ask(connection, again) == message.EXTENSION_FAILURE


def test_bindings_that_do_not_fit(running: stage.Agent) -> None:
    """Twice the same is fine; another key, or too many, are not."""
    key = HOSTS["ed25519"]
    with running.connect() as connection:
        good = _bind(key, forwarded=True)
        assert stage.ask(connection, good) == message.SUCCESS
        assert stage.ask(connection, good) == message.SUCCESS
        other = _bind(HOSTS["p256"], forwarded=True)
        assert stage.ask(connection, other) == message.EXTENSION_FAILURE
        long = _bind(key, b"x" * 129, forwarded=True)
        assert stage.ask(connection, long) == message.EXTENSION_FAILURE
        for number in range(15):
            more = _bind(key, b"%d" % number, forwarded=True)
            assert stage.ask(connection, more) == message.SUCCESS
        more = _bind(key, b"one more", forwarded=True)
        assert stage.ask(connection, more) == message.EXTENSION_FAILURE


def _hop(user: bytes, host: bytes, *keys: message.PrivateKey) -> bytes:
    specs = b"".join(string(message.blob(key)) + b"\0" for key in keys)
    return strings(user, host, b"") + specs


def _constraint(*ways: tuple[bytes, bytes]) -> bytes:
    ends = b"".join(string(strings(*way, b"")) for way in ways)
    name = b"restrict-destination-v00@openssh.com"
    return b"\xff" + strings(name, ends)


def _login(
    key: message.PrivateKey,
    user: bytes = b"me",
    session: bytes = SESSION,
    host: message.PrivateKey | None = None,
) -> bytes:
    method = b"publickey" if host is None else HOST_BOUND
    data = string(session) + b"\x32" + strings(user, b"ssh-connection", method)
    data += b"\1" + strings(b"ssh-ed25519", message.blob(key))
    return data + (string(message.blob(host)) if host else b"")


HOST_BOUND = b"publickey-hostbound-v00@openssh.com"
KEY = ed25519.Ed25519PrivateKey.generate()


def test_what_a_restricted_key_signs(running: stage.Agent) -> None:
    """A login to the bound host, in the bound session, and nothing else."""
    first, second = HOSTS["ed25519"], HOSTS["p256"]
    ways = (
        (_hop(b"", b""), _hop(b"m?", b"first", first)),
        (_hop(b"", b"first", first), _hop(b"", b"second", second)),
    )
    add = message.add(KEY, constraints=_constraint(*ways))
    with running.connect() as local:
        assert stage.ask(local, add) == message.SUCCESS
        refused = message.sign(KEY, _login(KEY))
        assert stage.ask(local, refused) == message.FAILURE
    with running.connect() as bound:
        stage.ask(bound, _bind(first))
        wrong = (
            b"no login",
            _login(KEY, b"you"),
            _login(KEY, session=b"another"),
            _login(KEY, host=second),
            _login(ed25519.Ed25519PrivateKey.generate()),
            _login(KEY)[:-1],
        )
        for data in wrong:
            request = message.sign(KEY, data)
            assert stage.ask(bound, request) == message.FAILURE, data
        for data in (_login(KEY), _login(KEY, host=first)):
            reply = stage.ask(bound, message.sign(KEY, data))
            assert reply[0] == message.SIGNATURE
    with running.connect() as far:
        stage.ask(far, _bind(first, forwarded=True))
        request = message.sign(KEY, _login(KEY, host=first))
        assert stage.ask(far, request) == message.FAILURE
        stage.ask(far, _bind(second, b"second"))
        # Beyond the first hop, the host's key must be named.
        data = _login(KEY, session=b"second")
        assert stage.ask(far, message.sign(KEY, data)) == message.FAILURE
        data = _login(KEY, session=b"second", host=second)
        reply = stage.ask(far, message.sign(KEY, data))
        assert reply[0] == message.SIGNATURE


def test_a_key_that_may_not_be_used_is_not_there(
    running: stage.Agent,
) -> None:
    """It is not listed, not removed and not replaced."""
    here, there = HOSTS["ed25519"], HOSTS["p256"]
    way = (_hop(b"", b""), _hop(b"", b"here", here))
    add = message.add(KEY, constraints=_constraint(way))
    with running.connect() as local:
        assert stage.ask(local, add) == message.SUCCESS
    for bind in (_bind(there), _bind(here, signed=b"wrong")):
        with running.connect() as other:
            stage.ask(other, bind)
            listed = stage.ask(other, bytes([message.LIST]))
            assert listed[1:5] == bytes(4)
            remove = message.remove(KEY)
            assert stage.ask(other, remove) == message.FAILURE
            assert stage.ask(other, message.add(KEY)) == message.FAILURE
    with running.connect() as local:
        assert stage.ask(local, message.remove(KEY)) == message.SUCCESS


@pytest.mark.parametrize(
    "way",
    [
        (_hop(b"me", b""), _hop(b"", b"here", HOSTS["rsa"])),
        (_hop(b"", b"from"), _hop(b"", b"here", HOSTS["rsa"])),
        (_hop(b"", b"", HOSTS["rsa"]), _hop(b"", b"here", HOSTS["rsa"])),
        (_hop(b"", b""), _hop(b"", b"here")),
        (_hop(b"", b""), _hop(b"", b"", HOSTS["rsa"])),
        (_hop(b"", b""), _hop(b"", b"here", HOSTS["rsa"])[:-1]),
        (_hop(b"", b""), strings(b"", b"\xff", b"")),
    ],
    ids=range(7),
)
def test_a_destination_is_refused(
    way: tuple[bytes, bytes], running: stage.Agent
) -> None:
    """One that contradicts itself, or that cannot be read."""
    add = message.add(KEY, constraints=_constraint(way))
    with running.connect() as connection:
        assert stage.ask(connection, add) == message.FAILURE


def test_a_forwarded_connection_to_the_second_socket(tmp_path: Path) -> None:
    """It gets none of the extensions, nor does one that may be forwarded."""
    status = bytes([message.EXTENSION]) + string(b"status@secretmem")
    key = HOSTS["ed25519"]
    extra = tmp_path / "extra"
    with stage.agent(tmp_path, "-x", extra) as agent:
        agent.path = extra
        for binds, served in (
            ([], True),
            ([_bind(key)], True),
            ([_bind(key, forwarded=True)], False),
            ([_bind(key, forwarded=True), _bind(key, b"more")], False),
            ([_bind(key, signed=b"another")], False),
            ([_bind(key, signed=b"another"), _bind(key)], False),
        ):
            with agent.connect() as connection:
                for bind in binds:
                    stage.ask(connection, bind)
                reply = stage.ask(connection, status)
            wanted = message.EXTENSION_RESPONSE if served else 5
            assert reply[0] == wanted, (len(binds), served)
