"""Other clients of the agent: asyncssh and paramiko."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from agent import stage
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-add", "ssh-keygen", "sshd"),
]


@pytest.mark.parametrize("kind", stage.KINDS)
def test_asyncssh(
    kind: str,
    running: stage.Agent,
    server: stage.Server,
    keys: dict[str, Path],
) -> None:
    """It lists the key and logs in with it."""
    import asyncssh

    key = keys[kind]
    server.authorise(key.with_suffix(".pub").read_text("utf-8"))
    running.add(key)

    async def log_in() -> str:
        async with asyncssh.connect_agent(str(running.path)) as agent:
            (pair,) = await agent.get_keys()
            assert pair.get_comment() == f"{kind} key"
        async with asyncssh.connect(
            "127.0.0.1",
            server.port,
            username=server.user,
            known_hosts=str(server.known),
            agent_path=str(running.path),
            client_keys=[],
            config=None,
        ) as connection:
            done = await connection.run("echo in", check=True)
            return str(done.stdout)

    assert asyncio.run(log_in()) == "in\n"


def test_asyncssh_manages_keys(
    running: stage.Agent, keys: dict[str, Path]
) -> None:
    """It adds, locks, unlocks and removes."""
    import asyncssh

    async def manage() -> None:
        async with asyncssh.connect_agent(str(running.path)) as agent:
            pair = asyncssh.read_private_key(keys["p256"])
            await agent.add_keys([pair], lifetime=600)
            (listed,) = await agent.get_keys()
            await agent.lock("secret")
            assert not list(await agent.get_keys())
            await agent.unlock("secret")
            await agent.remove_keys([listed])
            assert not list(await agent.get_keys())

    asyncio.run(manage())


@pytest.mark.parametrize("kind", stage.KINDS)
def test_paramiko(
    kind: str,
    running: stage.Agent,
    server: stage.Server,
    keys: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It finds the agent by SSH_AUTH_SOCK and logs in."""
    import paramiko

    key = keys[kind]
    server.authorise(key.with_suffix(".pub").read_text("utf-8"))
    running.add(key)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(running.path))
    with (
        socket.create_connection(("127.0.0.1", server.port)) as raw,
        paramiko.Transport(raw) as transport,
    ):
        for name in ("banner", "handshake", "auth", "channel"):
            setattr(transport, f"{name}_timeout", PATIENCE)
        transport.start_client(timeout=PATIENCE)
        agent: Any = paramiko.Agent()
        (found,) = agent.get_keys()
        transport.auth_publickey(server.user, found)
        channel = transport.open_session()
        channel.exec_command("echo in")
        assert channel.makefile().read() == b"in\n"
        agent.close()
