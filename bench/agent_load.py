"""A client of SSH agents that asks as fast as it is answered."""

from __future__ import annotations

import base64
import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGN, _SIGNED, _SHA2_512 = 13, 14, 4
_ADD, _SUCCESS = 17, 6
_NANO = 1_000_000_000
_SECRET = "/secretmem (deleted)"
KIB = 1024


class Agent(NamedTuple):
    """A running agent: its name, socket and process."""

    name: str
    path: Path
    pid: int

    def add(self, key: Path) -> None:
        """Load a key file."""
        env = {**os.environ, "SSH_AUTH_SOCK": str(self.path)}
        program = shutil.which("ssh-add") or "ssh-add"
        command: list[str | Path] = [program, "-q", key]
        subprocess.run(command, env=env, check=True)

    def cpu(self) -> int:
        """Return the nanoseconds that its threads were on a processor."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        texts = [(task / "schedstat").read_text("ascii") for task in tasks]
        return sum(int(text.split()[0]) for text in texts)

    def resident(self) -> int:
        """Return its resident bytes."""
        return self._status("VmRSS")

    def locked(self) -> int:
        """Return its locked bytes: of secret memory where root asks."""
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{self.pid}/smaps").read_text("utf-8")
            if _SECRET in text:
                return _locked(text)
        return self._status("VmLck")

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text("ascii")
        line = next(x for x in text.splitlines() if x.startswith(name))
        return int(line.split()[1]) * KIB


def _locked(smaps: str) -> int:
    """Add up the sizes of the mappings of secret memory."""
    total, secret = 0, False
    for line in smaps.splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            secret = line.endswith(_SECRET)
        elif secret and line.startswith("Size:"):
            total += int(line.split()[1]) * KIB
    return total


@contextlib.contextmanager
def running(folder: Path) -> Iterator[list[Agent]]:
    """Start both agents; end them at the end of the block."""
    ours = [sys.executable, "-m", "secretmem.cli.main", "agent", "-D", "-a"]
    commands = {"secretmem": ours, "OpenSSH": ["ssh-agent", "-D", "-a"]}
    with contextlib.ExitStack() as stack:
        agents = []
        for name, command in commands.items():
            path = folder / name
            agents.append(stack.enter_context(_one(name, command, path)))
        yield agents


@contextlib.contextmanager
def _one(name: str, command: list[str], path: Path) -> Iterator[Agent]:
    process = subprocess.Popen(
        [*command, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(1000):
            with socket.socket(socket.AF_UNIX) as probe:
                if not probe.connect_ex(str(path)):
                    break
            time.sleep(0.02)
        yield Agent(name, path, process.pid)
    finally:
        process.terminate()
        process.wait()


def add_keys(agent: Agent, count: int) -> None:
    """Add so many new Ed25519 keys, by messages."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(agent.path))
        for _ in range(count):
            key = ed25519.Ed25519PrivateKey.generate()
            public = key.public_key().public_bytes_raw()
            pair = key.private_bytes_raw() + public
            parts = (b"ssh-ed25519", public, pair, b"a key")
            body = bytes([_ADD]) + b"".join(map(_string, parts))
            connection.sendall(_string(body))
            assert connection.recv(5)[4] == _SUCCESS, "the key was refused"


def request(public: Path) -> bytes:
    """Build a request to sign 32 bytes with the key of a public key file."""
    blob = base64.b64decode(public.read_text("utf-8").split()[1])
    body = bytes([_SIGN]) + _string(blob) + _string(b"x" * 32)
    return _string(body + _SHA2_512.to_bytes(4, "big"))


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


class Round(NamedTuple):
    """What one round of requests showed; times are nanoseconds."""

    rate: float
    middle: int
    p99: int
    cpu: float


def measure(agent: Agent, data: bytes, clients: int, window: int) -> Round:
    """Ask over so many connections at a time for ``window`` nanoseconds."""
    with contextlib.ExitStack() as stack:
        connections = {}
        for _ in range(clients):
            made = stack.enter_context(socket.socket(socket.AF_UNIX))
            made.connect(str(agent.path))
            connections[made.fileno()] = made
        before = agent.cpu()
        took, times = _ask(connections, data, window)
        used = agent.cpu() - before
    times.sort()
    count = len(times)
    return Round(
        count * _NANO / took,
        times[count // 2],
        times[count * 99 // 100],
        used / count,
    )


def _ask(
    connections: dict[int, socket.socket], data: bytes, window: int
) -> tuple[int, list[int]]:
    """Keep one request on its way on each; return the time of each."""
    clock = time.perf_counter_ns
    waiting = select.epoll()
    sent, times = {}, []
    for fd, connection in connections.items():
        waiting.register(fd, select.EPOLLIN)
        connection.sendall(data)
        sent[fd] = clock()
    start = clock()
    while (now := clock()) - start < window:
        for fd, _ in waiting.poll():
            answer = connections[fd].recv(4096)
            now = clock()
            assert answer[4] == _SIGNED, "the agent refused to sign"
            times.append(now - sent[fd])
            sent[fd] = now
            connections[fd].sendall(data)
    waiting.close()
    return now - start, times
