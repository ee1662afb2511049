"""`Secret.from_fd` and `Secret.from_file`: whatever read(2) can do."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import signal
import socket
import termios
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from secretmem import Secret, hazmat
from support import unprivileged
from support.patience import wait_until


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.needs_secretmem

SIZES = (0, 1, 31, 32, 4031, 4032, 4033, 4087, 4096, 4097, 65536, 1 << 20)


def out(secret: Secret) -> bytes:
    """Copy out and close."""
    with secret:
        return hazmat.export_bytes(secret)


def pattern(size: int) -> bytes:
    """Make bytes with every value, NUL and newline among them."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Give a pipe; ends that the test closed itself are fine."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with suppress(OSError):
                os.close(end)


@contextmanager
def writing(write: Callable[[int], None]) -> Iterator[int]:
    """Give a pipe's reading end while a thread writes to the other."""

    def act() -> None:
        write(ends[1])
        os.close(ends[1])

    with pipe() as ends:
        thread = threading.Thread(target=act)
        thread.start()
        yield ends[0]
        thread.join()


@pytest.mark.parametrize("size", SIZES)
def test_a_file(tmp_path: Path, size: int) -> None:
    """Whole, with NULs and newlines, its name as the secret's."""
    path = tmp_path / "key"
    path.write_bytes(pattern(size))
    for given in (path, str(path), os.fsencode(path)):
        secret = Secret.from_file(given)
        assert secret.name == "key"
        assert out(secret) == pattern(size)
    named = Secret.from_file(path, name="other")
    assert named.name == "other"
    assert out(named) == pattern(size)
    assert path.read_bytes() == pattern(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", [1 << 20, 4096, 1000])
def test_a_pipe(size: int, chunk: int) -> None:
    """However the writer cuts it."""
    data = pattern(size)

    def write(fd: int) -> None:
        for start in range(0, size, chunk):
            os.write(fd, data[start : start + chunk])

    with writing(write) as reading:
        assert out(Secret.from_fd(reading, max_size=size)) == data


def test_single_bytes_with_pauses() -> None:
    """Short reads do not end it, the end of the file does."""

    def write(fd: int) -> None:
        for value in b"slow\n\0":
            os.write(fd, bytes([value]))
            time.sleep(0.002)

    with writing(write) as reading:
        assert out(Secret.from_fd(reading)) == b"slow\n\0"


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_socket_that_cuts_messages(kind: socket.SocketKind) -> None:
    """Refused both ways: what does not fit one message would be lost."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours, theirs, Secret.random(8) as secret:
        theirs.send(bytes(8000))
        with pytest.raises(ValueError, match="use a stream"):
            Secret.from_fd(ours)
        with pytest.raises(ValueError, match="use a stream"):
            secret.write_to(ours)


def test_a_socket() -> None:
    """Read to the end of the stream, by its object."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        theirs.send(b"first ")
        theirs.send(b"second")
        theirs.shutdown(socket.SHUT_WR)
        assert out(Secret.from_fd(ours)) == b"first second"


def test_a_socket_that_does_not_block() -> None:
    """EAGAIN is waited for, without a busy loop."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)

        def write() -> None:
            time.sleep(0.5)
            theirs.sendall(b"late")
            time.sleep(0.5)
            theirs.close()

        thread = threading.Thread(target=write)
        thread.start()
        before = time.thread_time()
        assert out(Secret.from_fd(ours)) == b"late"
        # A busy loop takes a second, or its share of a busy processor.
        assert time.thread_time() - before < 0.2
        thread.join()


def test_a_fifo(tmp_path: Path) -> None:
    """As shells make by ``<(command)``."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=[b"through"])
    thread.start()
    assert out(Secret.from_file(path)) == b"through"
    thread.join()


def test_the_descriptor_stays_open_and_moves(tmp_path: Path) -> None:
    """It is the caller's, and the position is at the end afterwards."""
    path = tmp_path / "key"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        file.seek(4)
        assert out(Secret.from_fd(file)) == b"456789"
        assert file.tell() == 10
        assert out(Secret.from_fd(file.fileno())) == b""


def test_what_is_before_the_position_does_not_count(tmp_path: Path) -> None:
    """The limit is on what is read."""
    path = tmp_path / "log"
    path.write_bytes(bytes(5000) + b"token")
    with path.open("rb", buffering=0) as file:
        file.seek(5000)
        assert out(Secret.from_fd(file, max_size=5)) == b"token"
        file.seek(4999)
        with pytest.raises(ValueError, match="max_size = 5 bytes"):
            Secret.from_fd(file, max_size=5)


@pytest.mark.parametrize("limit", [0, 1, 5, 31, 4032, 4096, 10_000])
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_max_size(tmp_path: Path, limit: int, kind: str) -> None:
    """So many bytes are read, and one more is refused."""
    for size, fits in ((limit, True), (limit + 1, False), (limit * 3 + 9, 0)):
        data = pattern(size)
        path = tmp_path / "key"
        if kind == "pipe":
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            thread = threading.Thread(target=_feed, args=(path, data))
            thread.start()
        else:
            path.write_bytes(data)
        if fits:
            assert out(Secret.from_file(path, max_size=limit)) == data
        else:
            with pytest.raises(ValueError, match=f"max_size = {limit} bytes"):
                Secret.from_file(path, max_size=limit)
        if kind == "pipe":
            thread.join()


def _feed(path: Path, data: bytes) -> None:
    with suppress(BrokenPipeError):  # the reader had enough
        path.write_bytes(data)


def test_an_endless_source_is_refused_at_the_limit() -> None:
    """Without taking more memory than the limit."""
    with pytest.raises(ValueError, match="max_size = 100000 bytes"):
        Secret.from_file("/dev/zero", max_size=100_000)
    with pytest.raises(ValueError, match="max_size = 1048576 bytes"):
        Secret.from_file("/dev/urandom")


@pytest.mark.parametrize("limit", [-1, 1 << 64, 1 << 100, -(1 << 100)])
def test_an_absurd_limit_is_a_value_error(limit: int) -> None:
    """As for every size."""
    with pytest.raises(ValueError, match="size"):
        Secret.from_file("/dev/null", max_size=limit)


def test_the_largest_limit() -> None:
    """No arithmetic overflows."""
    assert out(Secret.from_file("/dev/null", max_size=(1 << 63) - 1)) == b""


def test_a_file_that_grows(tmp_path: Path) -> None:
    """All that is there until the end is met."""
    path = tmp_path / "key"
    path.write_bytes(b"a" * 10)
    with path.open("rb", buffering=0) as file, path.open("ab") as more:
        done = threading.Event()

        def grow() -> None:
            while not done.is_set():
                more.write(b"b" * 5000)
                more.flush()
                if more.tell() > 1 << 19:
                    done.set()

        thread = threading.Thread(target=grow)
        thread.start()
        data = out(Secret.from_fd(file))
        done.set()
        thread.join()
    assert data[:10] == b"a" * 10
    assert data[10:] == b"b" * (len(data) - 10)


def test_a_file_that_shrank(tmp_path: Path) -> None:
    """The size was only a hint."""
    path = tmp_path / "key"
    path.write_bytes(bytes(100_000))
    os.truncate(path, 3)
    assert out(Secret.from_file(path)) == bytes(3)


@pytest.mark.parametrize("path", ["/proc/self/comm", "/proc/version"])
def test_a_file_that_does_not_tell_its_size(path: str) -> None:
    """/proc says 0 bytes and has some."""
    secret = Secret.from_file(path, strip=True)
    assert out(secret) == Path(path).read_bytes().strip()


@pytest.mark.parametrize(
    "data", [b"", b"\n", b" \t", b"token\n", b"\n a b \r\n", b"\0\n", b"x"]
)
@pytest.mark.parametrize("fill", [b"", b" " * 5000])
def test_strip(tmp_path: Path, data: bytes, fill: bytes) -> None:
    """White space at both ends goes, inside it stays."""
    path = tmp_path / "key"
    path.write_bytes(fill + data + fill)
    assert out(Secret.from_file(path, strip=True)) == data.strip()
    with writing(lambda fd: _write_all(fd, fill + data + fill)) as reading:
        assert out(Secret.from_fd(reading, strip=True)) == data.strip()


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


ERRORS: dict[str, tuple[type[OSError], int]] = {
    "missing": (FileNotFoundError, errno.ENOENT),
    "folder": (IsADirectoryError, errno.EISDIR),
    "key/below": (NotADirectoryError, errno.ENOTDIR),
    "n" * 300: (OSError, errno.ENAMETOOLONG),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_the_file(tmp_path: Path, name: str) -> None:
    """The class, the number and the path of Python's own errors."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "key").write_bytes(b"x")
    kind, number = ERRORS[name]
    with pytest.raises(kind) as caught:
        Secret.from_file(tmp_path / name)
    assert caught.value.errno == number
    assert caught.value.filename == str(tmp_path / name)


@pytest.mark.needs_unprivileged
def test_an_unreadable_file(tmp_path: Path) -> None:
    """PermissionError with the path, as from open()."""
    del tmp_path
    done = unprivileged.run(
        "-c", "from secretmem import Secret; Secret.from_file('/etc/shadow')"
    )
    assert "PermissionError: [Errno 13]" in done.stderr
    assert "'/etc/shadow'" in done.stderr


def test_descriptors_that_cannot_be_read(tmp_path: Path) -> None:
    """OSError with the kernel's errno."""
    path = tmp_path / "key"
    with path.open("wb") as file, pytest.raises(OSError, match="Bad") as bad:
        Secret.from_fd(file)
    assert bad.value.errno == errno.EBADF
    with pipe() as (_, write_end), pytest.raises(OSError, match="Bad") as bad:
        Secret.from_fd(write_end)
    assert bad.value.errno == errno.EBADF
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(IsADirectoryError):
            Secret.from_fd(folder)
    finally:
        os.close(folder)
    with socket.socket() as unconnected, pytest.raises(OSError) as bad:  # noqa: PT011 - the errno is asserted
        Secret.from_fd(unconnected)
    assert bad.value.errno == errno.ENOTCONN


@pytest.mark.parametrize("fd", [-1, -(1 << 31), (1 << 31) - 1, 1_000_000])
def test_numbers_that_are_no_descriptor(fd: int) -> None:
    """EBADF at once."""
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        Secret.from_fd(fd)
    assert caught.value.errno == errno.EBADF


def test_a_closed_descriptor() -> None:
    """EBADF, whether by number or by object."""
    with pipe() as (reading, _):
        os.close(reading)
        with pytest.raises(OSError, match="Bad file descriptor"):
            Secret.from_fd(reading)
    with Path("/dev/null").open("rb") as file:
        pass
    with pytest.raises(ValueError, match="closed"):
        Secret.from_fd(file)


@pytest.mark.parametrize("fd", ["0", 1.0, None, b"", True, object()])
def test_things_that_are_no_descriptor(fd: object) -> None:
    """TypeError; also for a bool, which is a mistake."""
    wrong: Any = fd
    with pytest.raises(TypeError, match="descriptor"):
        Secret.from_fd(wrong)


def test_a_descriptor_that_is_too_large_a_number() -> None:
    """Not cut off to another descriptor."""
    with pytest.raises((OverflowError, OSError)):
        Secret.from_fd(1 << 32)


class HandlerError(TimeoutError):
    """What the tests' signal handlers raise: an OSError, as is usual."""


@contextmanager
def alarm(act: Callable[[], None]) -> Iterator[None]:
    """Let a Python signal handler run again and again."""
    old = signal.signal(signal.SIGALRM, lambda *_: act())
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def test_signals_while_waiting() -> None:
    """Handlers run, and the read goes on."""
    seen: list[int] = []

    def write(fd: int) -> None:
        for number in range(5):
            while len(seen) <= number:
                time.sleep(0.001)
            os.write(fd, b"part")

    with alarm(lambda: seen.append(1)), writing(write) as reading:
        assert out(Secret.from_fd(reading)) == b"part" * 5
    assert len(seen) >= 5


def stop(*_: object) -> None:
    """Handle a signal."""
    raise HandlerError("too long")


def test_a_handler_ends_the_wait(tmp_path: Path) -> None:
    """Its exception arrives as it is, and what was read is wiped."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    before = secretmem.posture().live
    old = signal.signal(signal.SIGALRM, stop)

    def ring(fd: int) -> None:
        """Send the signal when all is read that there is."""
        wait_until(lambda: not _held(fd))
        os.kill(os.getpid(), signal.SIGALRM)

    with path.open("rb+", buffering=0) as kept_open:
        for use in (Secret.from_file, lambda _: Secret.from_fd(kept_open)):
            kept_open.write(b"some")
            ringing = threading.Thread(target=ring, args=[kept_open.fileno()])

            def wait(
                use: Callable[[Path], object] = use,
                ringing: threading.Thread = ringing,
            ) -> None:
                ringing.start()
                use(path)

            with pytest.raises(HandlerError) as caught:
                wait()
            ringing.join()
            assert caught.value.args == ("too long",)
            del caught
    signal.signal(signal.SIGALRM, old)
    assert secretmem.posture().live == before


def _held(fd: int) -> int:
    """Count the bytes that a pipe holds."""
    count = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


def test_a_handler_runs_during_a_long_read() -> None:
    """Also when each read brings something, so that none is interrupted."""

    def read() -> None:
        # In here, since it may come before the first read.
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        Secret.from_fd(endless, max_size=64 << 20)

    old = signal.signal(signal.SIGALRM, stop)
    with Path("/dev/zero").open("rb") as endless, pytest.raises(HandlerError):
        read()
    signal.signal(signal.SIGALRM, old)
