"""Guards, gate and canaries: the process or the call that errs ends."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

import secretmem
from secretmem import Secret
from support import address_space, alone, forked, holdings
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.needs_secretmem

_libc = ctypes.CDLL(None, use_errno=True)


def faults(act: Callable[[], object]) -> bool:
    """Tell whether a child that acts is ended by SIGSEGV."""
    ended = forked.run(act)
    if ended.signal is None:
        assert ended.error is None, ended.trace
    return ended.signal == signal.SIGSEGV


def address_of(view: memoryview) -> int:
    """Find the first byte of a view."""
    if not view.readonly:
        return ctypes.addressof(ctypes.c_char.from_buffer(view))
    # A read-only buffer's address, by way of the buffer protocol itself.
    raw = (ctypes.c_void_p * 16)()
    get = ctypes.pythonapi.PyObject_GetBuffer
    get.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_int]
    get(view, ctypes.addressof(raw), 0)
    address = raw[0]
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(raw))
    assert address is not None
    return int(address)


def arenas(inherit: Secret) -> list[holdings.Mapped]:
    """List mappings that a child has too: those of inherited secrets."""
    assert inherit.inherit
    return forked.run(holdings.secret).result()  # type: ignore[no-any-return]  # as it was sent


def test_a_wild_read_of_the_arena_faults() -> None:
    """In the process itself, through ctypes: every page of it."""
    with Secret.random(32), Secret.random(32, isolated=True):
        places = [m.start for m in holdings.secret() if m.protection == "---s"]
        if secretmem.posture().gate == "pku":
            places = [m.start for m in holdings.secret()]
        assert places
    # A child has no private pages; so an inherited secret is what it tries.
    with Secret.from_bytes(b"i" * 64, inherit=True) as secret:
        for mapped in arenas(secret):
            for at in range(mapped.start, mapped.end, 4096):
                assert faults(partial(address_space.read, at, 1))
                write = partial(ctypes.memset, at, 0, 1)
                assert faults(write)
        assert secret.matches(b"i" * 64)


def test_a_wild_read_right_after_a_use_faults() -> None:
    """The gate is closed again when the operation is over."""
    with Secret.from_bytes(b"i" * 64, inherit=True) as secret:

        def use_and_read() -> None:
            before = {m.start for m in holdings.secret()}
            assert secret.matches(b"i" * 64)
            own = [m for m in holdings.secret() if m.start not in before]
            # Its stack is not behind the gate, and holds zeros.
            for mapped in own:
                if mapped.size != 24 << 10:
                    address_space.read(mapped.start, 1)

        assert faults(use_and_read)


def test_a_call_that_is_given_such_a_pointer_gets_efault() -> None:
    """write(2) from the arena and read(2) into it, in this process."""
    with Secret.from_bytes(b"x" * 64) as secret, Secret.random(5000):
        closed = holdings.secret()
        refused = 0
        reading, writing = os.pipe()
        for mapped in closed:
            for at in (mapped.start, mapped.end - 1):
                got = _libc.write(writing, ctypes.c_void_p(at), 1)
                if got == 1:
                    # A stack or a window, at rest.
                    assert os.read(reading, 1) == b"\0"
                    continue
                refused += 1
                assert (got, ctypes.get_errno()) == (-1, errno.EFAULT)
                got = _libc.getrandom(ctypes.c_void_p(at), 1, 0)
                assert (got, ctypes.get_errno()) == (-1, errno.EFAULT)
        assert secret.matches(b"x" * 64)
        # Both ends of each area, at least.
        assert refused >= 2 * secretmem.posture().areas
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("size", [1, 100, 4096, 5000, 8192])
@pytest.mark.parametrize("writable", [False, True])
def test_over_reading_a_view_ends_at_its_guard(
    size: int,
    writable: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    """Its own pages hold nothing else; the next one faults."""
    pages = -(-size // 4096)
    pages = 1 << (pages - 1).bit_length()

    def look(offset: int) -> bytes:
        with (
            Secret.from_bytes(b"v" * size) as secret,
            secret.reveal(writable=writable) as view,
        ):
            at = address_of(view)
            return address_space.read(at + offset, 1)

    assert forked.run(partial(look, 0)).result() == b"v"
    assert forked.run(partial(look, size - 1)).result() == b"v"
    if size % 4096:
        assert forked.run(partial(look, size)).result() == b"\0"
    assert faults(partial(look, pages * 4096))
    assert faults(partial(look, -1))


def test_writing_through_a_read_only_view_faults() -> None:
    """The page itself is read-only, whatever the interpreter thinks."""

    def scribble() -> None:
        with Secret.from_bytes(b"v" * 32) as secret, secret.reveal() as view:
            ctypes.memset(address_of(view), 0, 1)

    assert faults(scribble)


def test_a_stale_pointer_to_a_view_shows_nothing() -> None:
    """After the block: a fault, or the zeros of a wiped window."""

    def look() -> bytes:
        with Secret.from_bytes(b"v" * 32) as secret:
            with secret.reveal() as view:
                at = address_of(view)
            return address_space.read(at, 32)

    ended = forked.run(look)
    assert ended.signal == signal.SIGSEGV or ended.result() == bytes(32)

    def look_writable() -> bytes:
        with Secret.from_bytes(b"v" * 32) as secret:
            with secret.reveal(writable=True) as view:
                at = address_of(view)
            return address_space.read(at, 32)

    assert faults(look_writable)


def corrupt(offset: int, size: int) -> None:
    """Open the arena by force, damage what lies behind a secret, close it."""
    import faulthandler

    faulthandler.disable()
    before = {m.start for m in holdings.secret()}
    secret = Secret.from_bytes(b"s" * size, isolated=True)
    (mapped,) = [m for m in holdings.secret() if m.start not in before]
    address_space.make_writable(mapped)
    at = mapped.start + offset
    ctypes.memset(at, address_space.read(at, 1)[0] ^ 0xFF, 1)
    secret.close()


@pytest.mark.parametrize("behind", range(8))
@pytest.mark.parametrize("size", [0, 1, 32, 100])
def test_a_damaged_canary_ends_the_process(size: int, behind: int) -> None:
    """One byte too many, in any of its eight bytes: SIGABRT, one line."""
    read_end, write_end = os.pipe()

    def child() -> None:
        os.dup2(write_end, 2)
        corrupt(size + behind, size)

    ended = forked.run(child)
    os.close(write_end)
    said = os.read(read_end, 4096)
    os.close(read_end)
    assert ended.signal == signal.SIGABRT
    assert said.startswith(b"secretmem: the canary of a slot is damaged")
    assert said.count(b"\n") == 1


def test_what_lies_within_is_no_damage() -> None:
    """The payload may hold anything."""

    def child() -> str:
        corrupt(31, 32)
        return "fine"

    assert forked.run(child).result() == "fine"


def test_freed_slots_hold_zeros() -> None:
    """Seen by force, after closing: nothing of the content is left."""

    def child() -> bytes:
        secrets = [Secret.from_bytes(b"left behind %d" % n) for n in range(99)]
        kept = Secret.from_bytes(b"kept")
        for secret in secrets:
            secret.close()
        data = address_space.contents(holdings.secret())
        assert b"kept" in data or secretmem.posture().gate == "pku"
        del kept
        return data

    data = forked.run(child).result()
    assert b"left behind" not in data
    assert data


def derivation(kind: str) -> None:
    """Look at the mappings while a thread derives a key from a password."""
    import threading
    from pathlib import Path

    import secretmem
    from secretmem import Secret
    from secretmem.crypto import argon2id, pbkdf2, scrypt

    secretmem.configure(gate="mprotect")
    other = Secret.from_bytes(b"another secret of the same area")
    password = Secret.from_bytes(b"password")

    def mappings() -> dict[str, str]:
        lines = Path("/proc/self/maps").read_text("ascii").splitlines()
        fields = [line.split() for line in lines if " /secretmem" in line]
        return {each[0]: each[1] for each in fields}

    (area,) = mappings()
    assert mappings()[area].startswith("---")
    work: dict[str, Callable[[], Secret]] = {
        "pbkdf2": lambda: pbkdf2(
            password, salt=b"s" * 16, iterations=3_000_000
        ),
        "scrypt": lambda: scrypt(
            password, salt=b"s" * 16, n=1 << 16, r=8, p=4
        ),
        "argon2id": lambda: argon2id(
            password, salt=b"s" * 16, memory_cost=1 << 16, iterations=16
        ),
    }
    derive = work[kind]
    closed = opened = 0
    # Again, where this thread had no turn meanwhile.
    while closed <= 20:
        made: list[Secret] = []
        thread = threading.Thread(
            target=lambda made=made: made.append(derive())
        )
        thread.start()
        while thread.is_alive():
            inside = secretmem.posture().stacks_in_use > 0
            now = mappings()
            if inside and secretmem.posture().stacks_in_use > 0:
                if now[area].startswith("---"):
                    closed += 1
                else:
                    opened += 1
        thread.join()
        assert len(made[0]) == 32
        assert other.matches(b"another secret of the same area")
        # It is open for the copies in and out, which take microseconds, or
        # as long as a busy machine takes the processor away in one.
        assert opened <= closed, (closed, opened)


@pytest.mark.parametrize("kind", ["pbkdf2", "scrypt", "argon2id"])
def test_a_derivation_leaves_the_arena_closed(kind: str) -> None:
    """With the mprotect gate, which opens for all threads."""
    alone.passes(derivation, kind, timeout=PATIENCE)
