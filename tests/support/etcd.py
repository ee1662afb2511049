"""An etcd server of our own, on a Unix socket, and its client."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Sockets in the server's working folder: "HOST:PORT" is a file's name there.
_CLIENTS, _PEERS = "unix://localhost:1", "unix://localhost:2"

VARIABLES = {
    "ETCDCTL_API": "3",
    "ETCDCTL_ENDPOINTS": _CLIENTS,
    "ETCDCTL_DIAL_TIMEOUT": "60s",
    "ETCDCTL_COMMAND_TIMEOUT": "60s",
}
"""With these the client finds it, from the same folder."""


@dataclass(frozen=True)
class Server:
    """A running server: where, and which process."""

    folder: Path
    pid: int

    def ctl(self, *arguments: str, given: bytes = b"") -> bytes:
        """Run ``etcdctl``; gives its output if it succeeds."""
        return subprocess.run(
            ["etcdctl", *arguments],
            cwd=self.folder,
            env={**os.environ, **VARIABLES},
            input=given,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run one with its data and sockets in a folder."""
    urls = ("--listen-client-urls", "--advertise-client-urls")
    peers = ("--listen-peer-urls", "--initial-advertise-peer-urls")
    with (folder / "etcd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("etcd", "--name", "one", "--data-dir", "etcd"),
                *(word for each in urls for word in (each, _CLIENTS)),
                *(word for each in peers for word in (each, _PEERS)),
                *("--initial-cluster", f"one={_PEERS}"),
                *("--unsafe-no-fsync",),
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    with process:
        try:
            running = Server(folder, process.pid)
            _wait(running, process)
            yield running
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _wait(running: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            running.ctl("endpoint", "health")
        except subprocess.CalledProcessError:
            log = (running.folder / "etcd.log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < end, log
            time.sleep(0.1)
        else:
            return
