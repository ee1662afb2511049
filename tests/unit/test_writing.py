"""`Secret.write_to`: whatever write(2) can do."""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

import secretmem
from secretmem import ClosedError, Secret


pytestmark = pytest.mark.needs_secretmem

SIZES = (0, 1, 32, 4095, 4096, 4097, 65536, 65537, (1 << 20) + 3)


def pattern(size: int) -> bytes:
    """Make bytes with every value."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


class Drain:
    """A thread that reads a pipe, slowly if asked to."""

    def __init__(self, pause: float = 0, chunk: int = 1 << 16) -> None:
        self.data = b""
        self._pause, self._chunk = pause, chunk
        self._reading, self.writing = os.pipe()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def _run(self) -> None:
        while part := os.read(self._reading, self._chunk):
            self.data += part
            time.sleep(self._pause)

    def __exit__(self, *error: object) -> None:
        os.close(self.writing)
        self._thread.join()
        os.close(self._reading)


@pytest.mark.parametrize("size", SIZES)
def test_a_pipe(size: int) -> None:
    """All of it, however often the pipe is full."""
    with Secret.from_bytes(pattern(size)) as secret:
        with Drain(chunk=5000) as drain:
            secret.write_to(drain.writing)
        assert drain.data == pattern(size)
        assert secret.matches(pattern(size))


def test_a_pipe_that_does_not_block() -> None:
    """A full one is waited for, without a busy loop."""
    with Secret.from_bytes(pattern(300_000)) as secret:
        with Drain(pause=0.15, chunk=32768) as drain:
            os.set_blocking(drain.writing, False)
            before = time.thread_time()
            secret.write_to(drain.writing)
            # A busy loop takes a second, or its share of a busy processor.
            assert time.thread_time() - before < 0.2
        assert drain.data == pattern(300_000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_socket(size: int, family: socket.AddressFamily) -> None:
    """As an object; with small buffers."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Secret.from_bytes(pattern(size)) as secret,
    ):
        if family == socket.AF_UNIX:
            ours, theirs = socket.socketpair()
        else:
            ours = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
        with ours, theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            got: list[bytes] = []

            def read() -> None:
                while part := theirs.recv(1 << 16):
                    got.append(part)

            thread = threading.Thread(target=read)
            thread.start()
            secret.write_to(ours)
            ours.shutdown(socket.SHUT_WR)
            thread.join()
        assert b"".join(got) == pattern(size)


def test_a_file(tmp_path: Path) -> None:
    """At its position, after what the object had buffered."""
    path = tmp_path / "out"
    with Secret.from_bytes(b"<secret>") as secret:
        with path.open("wb") as file:
            file.write(b"before ")
            secret.write_to(file)
            file.write(b" after")
        assert path.read_bytes() == b"before <secret> after"
        with path.open("a") as text:
            text.write("; ")
            secret.write_to(text)
        assert path.read_bytes() == b"before <secret> after; <secret>"
        with path.open("r+b", buffering=0) as raw:
            raw.seek(7)
            secret.write_to(raw.fileno())
            assert raw.tell() == 15


class Own:
    """An object with nothing but ``fileno``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._fd


def test_any_object_with_fileno() -> None:
    """It need not have ``flush``."""
    with Secret.from_bytes(b"own") as secret, Drain() as drain:
        secret.write_to(Own(drain.writing))
    assert drain.data == b"own"


def test_a_closed_pipe() -> None:
    """BrokenPipeError, as everywhere in Python."""
    reading, writing = os.pipe()
    os.close(reading)
    with Secret.from_bytes(b"x") as secret, pytest.raises(BrokenPipeError):
        secret.write_to(writing)
    os.close(writing)


def test_a_pipe_that_is_closed_on_the_way() -> None:
    """After some of it was taken."""
    reading, writing = os.pipe()

    def leave() -> None:
        os.read(reading, 1 << 16)
        os.close(reading)

    thread = threading.Thread(target=leave)
    with Secret.random(1 << 20) as secret:
        thread.start()
        with pytest.raises(BrokenPipeError):
            secret.write_to(writing)
        thread.join()
        os.close(writing)
        assert len(secret[:]) == 1 << 20


def test_a_full_disk() -> None:
    """The kernel's errno."""
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        Secret.from_bytes(b"x") as secret,
        pytest.raises(OSError, match="No space") as caught,
    ):
        secret.write_to(full)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("fd", [-1, -(1 << 31), (1 << 31) - 1, 1_000_000])
def test_numbers_that_are_no_descriptor(fd: int) -> None:
    """EBADF at once."""
    with (
        Secret.random(5) as secret,
        pytest.raises(OSError, match="Bad file descriptor") as caught,
    ):
        secret.write_to(fd)
    assert caught.value.errno == errno.EBADF


def test_descriptors_that_cannot_be_written(tmp_path: Path) -> None:
    """EBADF: read-only files, the wrong end of a pipe."""
    (tmp_path / "in").write_bytes(b"")
    reading, writing = os.pipe()
    with Secret.from_bytes(b"x") as secret:
        with (
            (tmp_path / "in").open("rb") as file,
            pytest.raises(OSError, match="Bad") as caught,
        ):
            secret.write_to(file.fileno())
        assert caught.value.errno == errno.EBADF
        with pytest.raises(OSError, match="Bad") as caught:
            secret.write_to(reading)
        assert caught.value.errno == errno.EBADF
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("target", ["1", 1.0, None, b"", True, object()])
def test_things_that_are_no_descriptor(target: object) -> None:
    """TypeError."""
    wrong: Any = target
    with Secret.from_bytes(b"x") as secret:
        with pytest.raises(TypeError, match="descriptor"):
            secret.write_to(wrong)
        with pytest.raises(io.UnsupportedOperation):
            secret.write_to(io.BytesIO())


class HandlerError(Exception):
    """What the tests' signal handler raises."""


@pytest.mark.parametrize("end", ["handler", "close"])
def test_a_wait_ends(end: str) -> None:
    """By a handler's exception, or when another thread closes the secret."""
    reading, writing = os.pipe()
    secret = Secret.random(1 << 20)
    live = secretmem.posture().live

    def stop(*_: object) -> None:
        if end == "handler":
            raise HandlerError
        secret.close()

    def ring() -> None:
        """Send the signal when something was written."""
        select.select([reading], [], [])
        os.kill(os.getpid(), signal.SIGALRM)

    def write() -> None:
        ringing.start()
        secret.write_to(writing)

    old = signal.signal(signal.SIGALRM, stop)
    ringing = threading.Thread(target=ring)
    try:
        kind = HandlerError if end == "handler" else ClosedError
        with pytest.raises(kind):
            write()
    finally:
        ringing.join()
        signal.signal(signal.SIGALRM, old)
    assert secret.closed == (end == "close")
    secret.close()
    assert secretmem.posture().live == live - 1
    # The pipe holds whole chunks of it: nothing was written twice.
    assert len(os.read(reading, 1 << 20)) % 4096 == 0
    os.close(reading)
    os.close(writing)


def test_signals_on_the_way() -> None:
    """Handlers run and nothing is lost or doubled."""
    seen: list[int] = []
    old = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    data = os.urandom(1 << 19)
    try:
        with Secret.from_bytes(data) as secret:
            with Drain(pause=0.001, chunk=8000) as drain:
                secret.write_to(drain.writing)
            assert drain.data == data
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert seen


def test_two_threads_write_one_secret() -> None:
    """Each its own copy; the interpreter is not held meanwhile."""
    data = pattern(300_000)
    with (
        Secret.from_bytes(data) as secret,
        Drain(0.001, 20_000) as one,
        Drain(0.001, 20_000) as two,
    ):
        threads = [
            threading.Thread(target=secret.write_to, args=[drain.writing])
            for drain in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert one.data == two.data == data


def test_a_closed_secret_is_not_written() -> None:
    """ClosedError; nothing arrives."""
    secret = Secret.from_bytes(b"x")
    secret.close()
    with Drain() as drain, pytest.raises(ClosedError):
        secret.write_to(drain.writing)
    assert drain.data == b""
