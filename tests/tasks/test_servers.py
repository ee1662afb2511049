"""gunicorn with --preload, and uvicorn with workers: the real programs."""

from __future__ import annotations

import hmac
import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leak.driver import looked
from leak.needle import Needle
from support.patience import PATIENCE
from tasks.count import EXAMPLES


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

ASGI = """
import secretmem
from secretmem import sources
from secretmem.crypto import Hmac

key = sources.read("file:jwt.key")


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = Hmac(key).digest(scope["path"].encode()).hex().encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _get(path: str, url: str) -> bytes:
    connection = _Connection(path)
    try:
        connection.request("GET", url)
        return connection.getresponse().read()
    finally:
        connection.close()


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    direct = [int(each) for each in path.read_text().split()]
    return [each for pid in direct for each in (pid, *_children(pid))]


@contextmanager
def _server(*command: str, folder: Path, **more: str) -> Iterator[int]:
    """Run a server until the block ends; gives its process."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            assert process.stderr
            said = process.stderr.read().decode()
            process.wait(PATIENCE)
    assert "Traceback" not in said, said


def _wait_for(path: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            _get(path, "/")
        except OSError:
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.05)
        else:
            return


def _copies(pid: int, needle: Needle) -> int:
    """Count what is found in a server and its workers."""
    end = time.monotonic() + PATIENCE
    # The first worker may answer before the second is there.
    while len(pids := [pid, *_children(pid)]) < 3:
        assert time.monotonic() < end, "a worker is missing"
        time.sleep(0.05)
    return sum(len(looked(each, [needle])[0].hits) for each in pids)


def _asked(path: str, key: bytes) -> None:
    """Ask often enough that each worker answers."""
    right = hmac.digest(key, b"/sign", "sha256").hex().encode()
    for _ in range(20):
        assert _get(path, "/sign") == right


@pytest.mark.parametrize("name", ["gunicorn_app_before", "gunicorn_app"])
def test_gunicorn_preload(name: str, tmp_path: Path) -> None:
    """Loaded before the fork; the workers have it, and no copy of it."""
    needle = Needle.random(size=40)
    (tmp_path / "jwt.key").write_bytes(needle.value)
    path = str(tmp_path / "socket")
    with _server(
        *(sys.executable, "-m", "gunicorn", "--preload", "--workers", "2"),
        *("--bind", f"unix:{path}", "--pythonpath", str(EXAMPLES)),
        *("--no-control-socket", f"{name}:app"),
        folder=tmp_path,
    ) as pid:
        _wait_for(path)
        _asked(path, needle.value)
        copies = _copies(pid, needle)
    assert bool(copies) is name.endswith("_before")


def test_uvicorn_workers(tmp_path: Path) -> None:
    """Each is started anew, and reads the source itself."""
    needle = Needle.random(size=40)
    (tmp_path / "jwt.key").write_bytes(needle.value)
    (tmp_path / "application.py").write_text(ASGI)
    path = str(tmp_path / "socket")
    with _server(
        *(sys.executable, "-m", "uvicorn", "--workers", "2", "--uds", path),
        *("--log-level", "warning", "application:app"),
        folder=tmp_path,
    ) as pid:
        _wait_for(path)
        _asked(path, needle.value)
        assert _copies(pid, needle) == 0
