"""`memfd_secret` and `SecretArea`: the article's system, row by row."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import os
import socket
from typing import Any

import pytest

import secretmem
from secretmem import BorrowError, ClosedError, ForkError, SecretArea
from support import alone, forked, holdings


pytestmark = pytest.mark.needs_secretmem

SIZES = (1, 100, 4095, 4096, 4097, 65536, 1 << 20)


@pytest.fixture
def secret_file() -> Any:  # noqa: ANN401 - a generator of descriptors
    """Give a fresh descriptor."""
    fd = secretmem.memfd_secret()
    yield fd
    os.close(fd)


# S2: the call and its only flag.


def test_the_flag_is_o_cloexec() -> None:
    """0 and O_CLOEXEC; the descriptor is closed by execve or not."""
    for flags, inheritable in ((0, True), (os.O_CLOEXEC, False)):
        fd = secretmem.memfd_secret(flags)
        assert os.get_inheritable(fd) is inheritable
        assert os.readlink(f"/proc/self/fd/{fd}") == holdings.NAME  # noqa: PTH115 - not a path
        os.close(fd)
    fd = secretmem.memfd_secret()
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(
    "flags", [1, 2, 4, os.O_NONBLOCK, os.O_CLOEXEC | 1, 1 << 31, (1 << 32) - 1]
)
def test_other_flags_are_einval(flags: int) -> None:
    """Also 1, which is FD_CLOEXEC, as the manual page says it."""
    with pytest.raises(OSError, match="Invalid argument") as caught:
        secretmem.memfd_secret(flags)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("flags", ["", None, 1.0, b""])
def test_flags_are_a_number(flags: object) -> None:
    """TypeError."""
    wrong: Any = flags
    with pytest.raises(TypeError):
        secretmem.memfd_secret(wrong)


def test_no_descriptor_left() -> None:
    """The kernel's EMFILE."""

    def exhausted() -> None:
        import errno
        import resource

        import secretmem

        memfd_secret = secretmem.memfd_secret
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        try:
            memfd_secret()
        except OSError as error:
            number = error.errno
        else:
            raise AssertionError
        assert number == errno.EMFILE

    alone.passes(exhausted)


# S4: no size and no access until ftruncate and mmap.


def test_ftruncate_once_only(secret_file: int) -> None:
    """Neither larger nor smaller afterwards."""
    assert os.fstat(secret_file).st_size == 0
    os.ftruncate(secret_file, 8192)
    for size in (4096, 16384, 0):
        with pytest.raises(OSError, match="Invalid") as caught:
            os.ftruncate(secret_file, size)
        assert caught.value.errno == errno.EINVAL
    assert os.fstat(secret_file).st_size == 8192


def test_it_is_mapped_shared_and_never_executable(secret_file: int) -> None:
    """MAP_PRIVATE and PROT_EXEC are refused."""
    os.ftruncate(secret_file, 4096)
    with pytest.raises(OSError, match="Invalid"):
        mmap.mmap(secret_file, 4096, mmap.MAP_PRIVATE)
    with pytest.raises(OSError, match="Operation not permitted"):
        mmap.mmap(
            secret_file,
            4096,
            mmap.MAP_SHARED,
            mmap.PROT_READ | mmap.PROT_EXEC,
        )
    with mmap.mmap(secret_file, 4096, mmap.MAP_SHARED) as mapped:
        mapped[:3] = b"abc"
        assert mapped[:4] == b"abc\0"


def test_it_is_neither_read_nor_written(secret_file: int) -> None:
    """The descriptor gives no access by itself."""
    os.ftruncate(secret_file, 4096)
    for use in (
        lambda: os.read(secret_file, 1),
        lambda: os.write(secret_file, b"x"),
        lambda: os.pread(secret_file, 1, 0),
    ):
        with pytest.raises(OSError, match=r"Invalid|Illegal seek"):
            use()
    with pytest.raises(OSError, match="No such device or address"):
        os.open(f"/proc/self/fd/{secret_file}", os.O_RDWR)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fork", ["share", "private"])
def test_an_area_is_zero_and_ours(size: int, fork: Any) -> None:  # noqa: ANN401 - one of two words
    """Its bytes are read and written; more than it has cannot be."""
    with SecretArea(size, fork=fork) as area:
        assert len(area) == size
        assert repr(area) == f"<SecretArea {size} bytes>"
        assert bytes(area) == bytes(size)
        with memoryview(area) as view:
            assert not view.readonly
            assert view.nbytes == size
            view[:] = b"\xa5" * size
            with pytest.raises(IndexError):
                view[size] = 1
        assert bytes(area) == b"\xa5" * size
    assert area.closed
    assert repr(area) == "<SecretArea closed>"


def test_an_area_is_between_guards() -> None:
    """PROT_NONE on both sides, one mapping of secret memory in between."""
    before = {mapped.start for mapped in holdings.secret()}
    with SecretArea(5000):
        (new,) = [m for m in holdings.secret() if m.start not in before]
        assert new.size == 8192
        assert new.protection == "rw-s"
        guards = [m for m in holdings.maps() if m.protection == "---p"]
        assert new.start in {m.end for m in guards}
        assert new.end in {m.start for m in guards}


def test_an_area_of_nothing() -> None:
    """No bytes, one page."""
    with SecretArea(0) as area:
        assert len(area) == 0
        assert bytes(area) == b""
        assert memoryview(area).nbytes == 0


@pytest.mark.parametrize("size", [-1, -(1 << 70), 1 << 63, 1 << 64, 1 << 90])
def test_sizes_that_no_memory_has(size: int) -> None:
    """ValueError."""
    with pytest.raises(ValueError, match="size"):
        SecretArea(size)


@pytest.mark.parametrize("size", [1 << 45, 1 << 56, (1 << 63) - 1])
def test_sizes_that_this_machine_has_not(size: int) -> None:
    """LimitError, which is a MemoryError; nothing is left."""
    before = holdings.descriptors()
    with pytest.raises(secretmem.LimitError) as caught:
        SecretArea(size)
    assert caught.value.need >= size
    assert holdings.descriptors() == before


@pytest.mark.parametrize("size", ["1", 1.0, None, b""])
def test_a_size_is_a_number(size: object) -> None:
    """TypeError."""
    wrong: Any = size
    with pytest.raises(TypeError):
        SecretArea(wrong)


def test_words_of_fork() -> None:
    """ValueError for others."""
    wrong: Any = "inherit"
    with pytest.raises(ValueError, match="share or private"):
        SecretArea(1, fork=wrong)


# The descriptor.


def test_the_descriptor_is_closed_after_mmap() -> None:
    """Nobody can take it, and fileno() says why."""
    before = holdings.descriptors()
    with SecretArea(10) as area:
        assert holdings.descriptors() == before
        with pytest.raises(ValueError, match="keep_fd=True"):
            area.fileno()


@pytest.mark.parametrize("cloexec", [True, False])
def test_a_kept_descriptor(cloexec: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """It maps the same pages, and goes with the area."""
    with SecretArea(5000, keep_fd=True, cloexec=cloexec) as area:
        fd = area.fileno()
        assert os.get_inheritable(fd) is not cloexec
        assert os.fstat(fd).st_size == 8192
        with mmap.mmap(fd, 8192) as mapped, memoryview(area) as view:
            view[4999] = 77
            assert mapped[4999] == 77
            mapped[0] = 33
            assert view[0] == 33
    with pytest.raises(ClosedError):
        area.fileno()
    assert fd not in holdings.descriptors()


def test_it_is_passed_by_scm_rights() -> None:
    """A process that got the descriptor has the pages."""
    ours, theirs = socket.socketpair()
    with ours, theirs, SecretArea(16, keep_fd=True) as area:

        def receive() -> bytes:
            _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
            with mmap.mmap(fd, 4096) as mapped:
                got = mapped[:5]
                mapped[5:8] = b"yes"
                return got

        with memoryview(area) as view:
            view[:5] = b"hello"
        child = forked.start(receive)
        socket.send_fds(ours, [b"x"], [area.fileno()])
        assert child.wait().result() == b"hello"
        assert bytes(area)[:8] == b"helloyes"


def test_execve_closes_it_or_keeps_it() -> None:
    """As ``cloexec`` says."""

    def executed() -> None:
        import os
        import subprocess
        import sys

        from secretmem import SecretArea

        code = (
            "import mmap, os, sys; fd = int(sys.argv[1]);"
            "print(mmap.mmap(fd, 4096)[:4])"
        )
        for cloexec in (True, False):
            with SecretArea(4, cloexec=cloexec, keep_fd=True) as area:
                memoryview(area)[:] = b"kept"
                fd = area.fileno()
                pid = os.fork()
                if not pid:
                    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
                    os.execv(  # noqa: S606 - without a shell, as it is
                        sys.executable, [sys.executable, "-c", code, str(fd)]
                    )
                status = os.waitpid(pid, 0)[1]
                assert (status == 0) is not cloexec
        del subprocess

    assert alone.passes(executed) == "b'kept'\n"


# S3: children.


def test_children_share_it() -> None:
    """A child's write shows in the parent, and the other way round."""
    with SecretArea(8192) as area:
        with memoryview(area) as view:
            view[0] = 1

        def child() -> int:
            with memoryview(area) as view:
                seen = view[0]
                view[4096] = 2
                return seen

        assert forked.run(child).result() == 1
        assert bytes(area)[4096] == 2
        grandchild = forked.run(lambda: forked.run(child).result())
        assert grandchild.result() == 1


def test_a_private_area_is_not_in_children() -> None:
    """ForkError, never a crash or zeros."""
    with SecretArea(16, fork="private") as area:

        def child() -> list[str]:
            said = []
            for use in (bytes, memoryview):
                try:
                    use(area)
                except ForkError:
                    said.append("fork")
            area.close(wipe=True)
            return said

        with memoryview(area) as view:
            view[:] = b"0123456789abcdef"
        assert forked.run(child).result() == ["fork", "fork"]
        assert bytes(area) == b"0123456789abcdef"


def test_a_child_closes_its_own_mapping_only() -> None:
    """Unless it wipes."""
    with SecretArea(4) as area:
        memoryview(area)[:] = b"mine"
        forked.run(area.close).result()
        assert bytes(area) == b"mine"
        forked.run(lambda: area.close(wipe=True)).result()
        assert bytes(area) == bytes(4)


# Closing.


def test_closing_while_a_buffer_is_in_use() -> None:
    """BorrowError, and the area stays."""
    area = SecretArea(4)
    view = memoryview(area)
    with pytest.raises(BorrowError):
        area.close()
    view[0] = 1
    part = view[1:]
    view.release()
    with pytest.raises(BorrowError):
        area.close(wipe=True)
    assert bytes(area) == b"\x01\0\0\0"
    part.release()
    for _ in range(2):
        area.close()
    with pytest.raises(ClosedError, match="area is closed"):
        memoryview(area)
    with pytest.raises(ClosedError, match="area is closed"):
        area.fileno()


def test_the_pages_are_given_back() -> None:
    """By close, and by dropping the last reference."""
    before = holdings.secret_bytes()
    areas = [SecretArea(100_000) for _ in range(5)]
    assert holdings.secret_bytes() == before + 5 * 102_400
    areas.pop().close()
    assert holdings.secret_bytes() == before + 4 * 102_400
    areas.clear()
    assert holdings.secret_bytes() == before


def test_a_buffer_keeps_the_area() -> None:
    """After the last reference is dropped."""
    before = holdings.secret_bytes()
    view = memoryview(SecretArea(4096))
    gc.collect()
    view[4095] = 9
    assert view[4095] == 9
    del view
    assert holdings.secret_bytes() == before


def test_wiping_zeroes_for_all_who_share() -> None:
    """Also what another mapping of the same file shows."""
    area = SecretArea(4096, keep_fd=True)
    memoryview(area)[:] = b"\xff" * 4096
    with mmap.mmap(area.fileno(), 4096) as other:
        area.close(wipe=True)
        assert other[:] == bytes(4096)


# S1, S6, S7: who reaches it.


def test_ordinary_calls_reach_it_and_pinning_ones_do_not() -> None:
    """read(2) and write(2) work; process_vm_readv(2) is EFAULT."""
    with SecretArea(16) as area, memoryview(area) as view:
        view[:] = b"0123456789abcdef"
        reading, writing = os.pipe()
        os.write(writing, view)
        target = bytearray(16)
        os.readv(reading, [target])
        assert target == view
        os.close(reading)
        os.close(writing)
        libc = ctypes.CDLL(None, use_errno=True)
        address = ctypes.addressof((ctypes.c_char * 16).from_buffer(view))
        local = (ctypes.c_size_t * 2)(
            ctypes.addressof((ctypes.c_char * 16).from_buffer(target)), 16
        )
        remote = (ctypes.c_size_t * 2)(address, 16)
        got = libc.process_vm_readv(os.getpid(), local, 1, remote, 1, 0)
        assert (got, ctypes.get_errno()) == (-1, errno.EFAULT)
        gc.collect()


def test_an_area_is_not_a_secret() -> None:
    """It is read and written like a bytearray, and says so by its type."""
    with SecretArea(3) as area:
        assert secretmem.Secret not in type(area).__mro__
        assert not hasattr(area, "reveal")
