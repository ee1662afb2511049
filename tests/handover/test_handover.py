"""Descriptors and sockets: what goes over, and what is refused."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import threading
from types import SimpleNamespace

import pytest

from secretmem import LimitError, Secret, SecretArea, _passing, handover
from support import alone, holdings


pytestmark = pytest.mark.needs_secretmem

SIZES = (0, 1, 32, 4096 - 64, 4096 - 63, 10_000, 1 << 20)


@pytest.mark.parametrize("size", SIZES)
def test_a_secret_goes_over_as_it_is(size: int) -> None:
    """Any size that fits; again and again; options as asked for."""
    held = holdings.descriptors()
    with Secret.random(size) as secret:
        fd = handover.to_descriptor(secret)
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        for inherit in (False, True):
            with handover.from_descriptor(
                fd, name="here", inherit=inherit
            ) as same:
                assert same == secret
                assert same.name == "here"
                assert same.inherit is inherit
        os.close(fd)
    assert holdings.descriptors() == held


def test_the_layout_is_as_documented() -> None:
    """Magic, length, 64 bytes in all; then the value, then zeros."""
    with Secret.from_bytes(b"value") as secret:
        fd = handover.to_descriptor(secret)
    assert os.fstat(fd).st_size == 4096
    with mmap.mmap(fd, 4096, prot=mmap.PROT_READ) as pages:
        assert pages[:8] == b"secretm\x01"
        assert pages[8:16] == (5).to_bytes(8, "little")
        assert pages[64:69] == b"value"
        assert not any(pages[16:64])
        assert not any(pages[69:])
    os.close(fd)


def _not_one() -> list[int]:
    """Open what is no secret that was handed over."""
    area = SecretArea(4096, keep_fd=True)
    reader, writer = os.pipe()
    memory = os.memfd_create("x")
    os.write(memory, b"secretm\x01" + bytes(4096))
    fds = [os.dup(area.fileno()), reader, writer, memory]
    area.close()
    return [*fds, os.open("/", os.O_RDONLY), os.open("/dev/zero", os.O_RDWR)]


def test_other_descriptors_are_refused() -> None:
    """Pages without the head, ordinary memory, pipes, folders, devices."""
    fds = _not_one()
    for fd in fds:
        with pytest.raises(ValueError, match="secret"):
            handover.from_descriptor(fd)
        os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        handover.from_descriptor(fds[0])
    for wrong in ("3", None, True):
        with pytest.raises(TypeError):
            handover.from_descriptor(wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError):
        handover.to_descriptor(b"bytes")  # type: ignore[arg-type]  # as above


def test_a_length_that_lies_is_refused() -> None:
    """The maker can change it at any time."""
    with Secret.from_bytes(b"value") as secret:
        fd = handover.to_descriptor(secret)
    with mmap.mmap(fd, 4096) as pages:
        for length in (4096 - 63, 1 << 40, (1 << 64) - 1):
            pages[8:16] = length.to_bytes(8, "little")
            with pytest.raises(ValueError, match="holds no secret"):
                handover.from_descriptor(fd)
    os.close(fd)


def test_too_much_is_refused() -> None:
    """More than 1 MiB, before anything is mapped."""
    with (
        Secret.random((1 << 20) + 1) as secret,
        pytest.raises(ValueError, match="1 MiB"),
    ):
        handover.to_descriptor(secret)


def test_a_degraded_backend_hands_nothing_over() -> None:
    """Its memory can be read by others and cut short by its maker."""

    def degraded() -> None:
        import os
        import warnings

        import secretmem
        from secretmem import Secret, handover

        warnings.simplefilter("ignore")
        secretmem.configure(backend="mlock")
        with Secret.from_bytes(b"x") as secret:
            for action in (
                lambda: handover.to_descriptor(secret),
                lambda: handover.from_descriptor(os.open("/", os.O_RDONLY)),
            ):
                said = ""
                try:
                    action()
                except ValueError as error:
                    said = str(error)
                assert "degraded" in said

    alone.passes(degraded)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
def test_sockets(kind: str) -> None:
    """Several in a row, with other data between them."""
    held = holdings.descriptors()
    one, other = socket.socketpair(socket.AF_UNIX, getattr(socket, kind))
    with one, other, Secret.random(32) as first, Secret.random(9) as second:
        handover.send_secret(one, first)
        one.sendall(b"between")
        handover.send_secret(one, second)
        with handover.recv_secret(other, name="got") as got:
            assert got == first
            assert got.name == "got"
        assert other.recv(7) == b"between"
        with handover.recv_secret(other) as got:
            assert got == second
        one.close()
        with pytest.raises(EOFError):
            handover.recv_secret(other)
        with pytest.raises(BrokenPipeError):
            handover.send_secret(other, first)
    assert holdings.descriptors() == held


def test_something_else_is_sent() -> None:
    """No descriptor, two, an ordinary one: an error, and none is left."""
    held = holdings.descriptors()
    one, other = socket.socketpair()
    reader, writer = os.pipe()
    with one, other:
        for data, fds in (
            (b"S", []),
            (b"x", [reader]),
            (b"S", [reader, writer]),
            (b"S", [reader]),
            (b"S", [reader] * 20),
        ):
            socket.send_fds(one, [data], fds)
            with pytest.raises(ValueError, match="secret"):
                handover.recv_secret(other)
    os.close(reader)
    os.close(writer)
    assert holdings.descriptors() == held


def test_sockets_to_other_hosts_are_refused() -> None:
    """Before anything is made."""
    with (
        socket.socket(socket.AF_INET) as sock,
        Secret.from_bytes(b"x") as secret,
    ):
        with pytest.raises(ValueError, match=r"this machine.*seal_to"):
            handover.send_secret(sock, secret)
        with pytest.raises(ValueError, match="this machine"):
            handover.recv_secret(sock)


def test_a_socket_that_does_not_wait() -> None:
    """Nothing is there yet: BlockingIOError, as for every receive."""
    one, other = socket.socketpair()
    with one, other, Secret.from_bytes(b"x") as secret:
        other.setblocking(False)  # noqa: FBT003 - its name says it
        with pytest.raises(BlockingIOError):
            handover.recv_secret(other)
        handover.send_secret(one, secret)
        handover.recv_secret(other).close()


def test_what_is_received_ends_with_this_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By execve(2); also what multiprocessing received."""
    flags = []
    real = handover.from_descriptor

    def spy(fd: int) -> Secret:
        flags.append(fcntl.fcntl(fd, fcntl.F_GETFD))
        return real(fd)

    monkeypatch.setattr(handover, "from_descriptor", spy)
    one, other = socket.socketpair()
    with one, other, Secret.random(32) as secret:
        handover.send_secret(one, secret)
        with handover.recv_secret(other) as got:
            assert got == secret
        assert flags == [fcntl.FD_CLOEXEC]
        fd = handover.to_descriptor(secret)
    os.set_inheritable(fd, True)  # noqa: FBT003 - by position only

    def take(cls: type[Secret], fd: int, **_options: object) -> Secret:
        flags.append(fcntl.fcntl(fd, fcntl.F_GETFD))
        return cls.from_bytes(b"")

    monkeypatch.setattr(_passing, "_native", SimpleNamespace(take_over=take))
    handle = SimpleNamespace(detach=lambda: fd)
    _passing.rebuilt(Secret, handle, None, inherit=False).close()
    assert flags == [fcntl.FD_CLOEXEC] * 2


def test_many_threads() -> None:
    """Each with a socket pair of its own."""
    held = holdings.descriptors()
    wrong: list[object] = []

    def work() -> None:
        one, other = socket.socketpair()
        with one, other:
            for _ in range(50):
                with Secret.random(40) as secret:
                    handover.send_secret(one, secret)
                    with handover.recv_secret(other) as got:
                        if got != secret:
                            wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert holdings.descriptors() == held


def test_the_limit_is_told() -> None:
    """Where no page more may be locked, and nothing is left open."""

    def limited() -> None:
        import os
        import resource

        from secretmem import LimitError, Secret, handover

        secret = Secret.random(32)
        fd = handover.to_descriptor(secret)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        if os.geteuid() == 0:  # whom older kernels do not limit
            os.setresuid(65534, 65534, 65534)
        failed = []
        for action in (
            lambda: handover.to_descriptor(secret),
            lambda: handover.from_descriptor(fd),
        ):
            try:
                action()
            except LimitError as error:
                failed.append(error.need)
        # Kernels that count per user charged the second page to its maker.
        assert failed in ([4096], [4096, 4096])
        # The next number is free: nothing was left open.
        assert os.dup(fd) == fd + 1

    alone.passes(limited)
    assert issubclass(LimitError, MemoryError)
