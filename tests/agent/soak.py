"""
Many mixed requests by many clients, with a look for residue at the end.

``python -m agent.soak [REQUESTS] [CLIENTS]`` with ``tests`` in PYTHONPATH;
``make soak`` runs it with a million requests of 200 clients.
"""

from __future__ import annotations

import os
import random
import select
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from agent import message, stage
from secretmem.agent.wire import string, strings


if TYPE_CHECKING:
    from collections.abc import Callable

    from leak.needle import Needle

LIST = bytes([message.LIST])
KEYS: tuple[message.PrivateKey, ...] = (
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
    rsa.generate_private_key(65537, 2048),
)


class Result(NamedTuple):
    """What a run showed; memory in KiB at its first tenth and its end."""

    requests: int
    seconds: float
    resident: tuple[int, int]
    residue: list[str]


class Client:
    """One connection: it asks, looks at the reply, and asks again."""

    def __init__(self, agent: stage.Agent, chance: random.Random) -> None:
        self._agent = agent
        self._chance = chance
        self._left = 0
        self.connect()

    def connect(self) -> None:
        """Begin anew."""
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(str(self._agent.path))

    def ask(self) -> None:
        """Send a request; sometimes a foolish one."""
        self.connection.sendall(message.frame(self._request()))

    def _request(self) -> bytes:
        key = self._chance.choice(KEYS[:2] if self._left % 20 else KEYS)
        self._left += 1
        make: Callable[[], bytes] = self._chance.choices(
            [
                lambda: message.sign(key),
                lambda: LIST,
                lambda: message.add(key),
                lambda: message.add(key, constraints=b"\1\0\0\0\7"),
                lambda: message.remove(key),
                lambda: message.add(key)[:-10],
                lambda: bytes([message.EXTENSION]) + string(b"query"),
                lambda: bytes([99]) + os.urandom(self._chance.randrange(900)),
                lambda: bytes([message.SIGN]) + strings(b"x", b"y"),
            ],
            weights=[60, 12, 8, 2, 4, 3, 4, 4, 3],
        )[0]
        return make()

    def take(self) -> None:
        """Read the reply; sometimes hang up instead and come back."""
        if self._chance.random() < 0.01:
            self.connection.close()
            self.connect()
            return
        assert stage.reply(self.connection), "the agent hung up"


def soak(folder: Path, requests: int, clients: int) -> Result:
    """Run the agent under load."""
    chance = random.Random(requests)  # noqa: S311 - which request comes next
    with stage.agent(folder) as agent:
        start = time.monotonic()
        first = _load(agent, chance, requests // 10, clients)
        last = _load(agent, chance, requests - requests // 10, clients)
        took = time.monotonic() - start
        with agent.connect() as connection:
            removed = stage.ask(connection, bytes([message.REMOVE_ALL]))
            assert removed == message.SUCCESS
        residue = [] if os.geteuid() else _residue(agent.process.pid)
        code, _ = agent.end()
        assert code == 0
    return Result(requests, took, (first, last), residue)


def _load(
    agent: stage.Agent, chance: random.Random, requests: int, clients: int
) -> int:
    """Make so many requests; return the agent's resident KiB."""
    each = [Client(agent, chance) for _ in range(clients)]
    waiting = select.epoll()
    by_fd = {}
    for client in each:
        by_fd[client.connection.fileno()] = client
        waiting.register(client.connection, select.EPOLLIN)
        client.ask()
    done = 0
    while done < requests:
        for fd, _ in waiting.poll():
            client = by_fd.pop(fd)
            waiting.unregister(fd)
            client.take()
            by_fd[client.connection.fileno()] = client
            waiting.register(client.connection, select.EPOLLIN)
            client.ask()
            done += 1
    for client in each:
        client.connection.close()
    waiting.close()
    status = Path(f"/proc/{agent.process.pid}/status").read_text("ascii")
    line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1])


def _residue(pid: int) -> list[str]:
    """Look from outside for all private numbers that were sent."""
    from leak.driver import looked

    scan, registers = looked(pid, _needles())
    return sorted(map(str, scan.hits | registers))


def _needles() -> list[Needle]:
    from leak.material import learned

    der = (forms.Encoding.DER, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    kinds = ("ed25519", "p256", "rsa")
    values = [key.private_bytes(*der) for key in KEYS]
    # Of Ed25519, the seed is the end of its file.
    values[0] = values[0][-32:]
    return [learned(*each) for each in zip(kinds, values, strict=True)]


def main() -> int:
    """Soak, and say what came of it."""
    requests, clients = (int(word) for word in [*sys.argv[1:], *_USUAL][:2])
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), requests, clients)
    first, last = result.resident
    rate = result.requests / result.seconds
    print(  # noqa: T201 - the program's result
        f"{result.requests:,} requests of {clients} clients, {rate:,.0f} a "
        f"second; resident {first} KiB after a tenth, {last} KiB at the end; "
        f"residue: {len(result.residue)}"
    )
    for line in result.residue:
        print(line)  # noqa: T201 - as above
    return bool(result.residue)


_USUAL = ("1000000", "200")


if __name__ == "__main__":
    raise SystemExit(main())
