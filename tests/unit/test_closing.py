"""Closing, context managers, and how a secret is kept."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

import secretmem
from secretmem import ClosedError, Secret, hazmat
from support import holdings


pytestmark = pytest.mark.needs_secretmem


def live() -> int:
    """Count the secrets of this process."""
    return secretmem.posture().live


def _closed(secret: Secret) -> bool:
    """Ask anew: a type checker takes it for a constant."""
    return secret.closed


def test_close_ends_it() -> None:
    """Once and for all; again is fine."""
    before = live()
    secret = Secret.random(32)
    assert live() == before + 1
    assert not secret.closed
    for _ in range(3):
        secret.close()
        assert _closed(secret)
        assert live() == before


USES: dict[str, Any] = {
    "export": hazmat.export_bytes,
    "export as text": hazmat.export_str,
    "matches": lambda s: s.matches(b"x"),
    "equals": lambda s: s == Secret.random(1),
    "slice": lambda s: s[:],
    "sum": lambda s: s + b"",
    "strip": lambda s: s.strip(),
    "reveal": lambda s: s.reveal().__enter__(),
    "reveal writable": lambda s: s.reveal(writable=True).__enter__(),
    "write": lambda s: s.write_to(1),
    "base64": Secret.from_base64,
    "hex": Secret.from_hex,
    "enter": lambda s: s.__enter__(),
}


@pytest.mark.parametrize("use", USES)
def test_every_use_after_close_says_so(use: str) -> None:
    """ClosedError, which is a ValueError as for files."""
    secret = Secret.from_bytes(b"x")
    secret.close()
    with pytest.raises(ClosedError, match="closed") as caught:
        USES[use](secret)
    assert isinstance(caught.value, ValueError)


def test_what_is_public_stays() -> None:
    """Name, length and text do not need the content."""
    secret = Secret.random(5, name="n", inherit=True)
    secret.close()
    assert secret.name == "n"
    assert secret.inherit
    assert len(secret) == 5
    assert repr(secret) == str(secret) == f"{secret}" == "<Secret 'n' closed>"


def test_a_block_closes() -> None:
    """On every way out; the exception passes."""
    with Secret.random(4) as secret:
        assert not secret.closed
    assert _closed(secret)
    with pytest.raises(ZeroDivisionError), Secret.random(4) as other:
        1 / 0  # noqa: B018 - the exception is the point
    assert other.closed


def test_a_block_may_close_early_and_twice() -> None:
    """Closing is idempotent; blocks nest."""
    with Secret.random(4) as secret:
        secret.close()
    with Secret.random(4) as outer:
        with outer as inner:
            assert inner is outer
        assert outer.closed


def test_dropping_the_last_reference_closes() -> None:
    """Without waiting for a collection."""
    before = live()
    secret = Secret.random(32)
    other = secret
    del secret
    assert live() == before + 1
    del other
    assert live() == before


def test_a_cycle_is_closed_when_it_is_collected() -> None:
    """A secret inside a structure that refers to itself."""
    before = live()
    knot: list[object] = [Secret.random(8), Secret.random(5000)]
    knot.append(knot)
    del knot
    gc.collect()
    assert live() == before


def test_isolated_secrets_have_pages_and_guards_of_their_own() -> None:
    """Two PROT_NONE pages around at least one page each."""
    with Secret.random(1, isolated=True), Secret.random(1, isolated=True):
        pass  # what is kept in reserve is there now
    before = {mapped.start for mapped in holdings.secret()}
    with Secret.random(32, isolated=True), Secret.random(32, isolated=True):
        new = [m for m in holdings.secret() if m.start not in before]
        assert [m.size for m in new] == [4096, 4096]
        guards = {m.end: m for m in holdings.maps() if m.protection == "---p"}
        starts = {m.start: m for m in guards.values()}
        for mapped in new:
            assert mapped.start in guards
            assert mapped.end in starts
    assert {m.start for m in holdings.secret()} == before


def test_small_secrets_share_pages() -> None:
    """A 32-byte secret costs at most 64 locked bytes."""
    secretmem.trim()
    before = secretmem.posture()
    secrets = [Secret.random(32) for _ in range(5000)]
    after = secretmem.posture()
    assert after.area_bytes - before.area_bytes <= 5000 * 64
    assert after.live - before.live == 5000
    for secret in secrets:
        secret.close()
    secretmem.trim()
    assert secretmem.posture().area_bytes <= before.area_bytes


def test_freed_slots_are_zero_and_used_again() -> None:
    """A new secret in an old slot shows nothing of the old one."""
    for size in (8, 32, 100, 1000, 3000, 9000, 40_000):
        old = [Secret.from_bytes(b"\xa5" * size) for _ in range(50)]
        mapped = secretmem.posture().area_bytes
        for secret in old:
            secret.close()
        new = [Secret.from_bytes(b"") + bytes(0) for _ in range(3)]
        new += [Secret.from_bytes(b"\x5a" * size) for _ in range(50)]
        assert secretmem.posture().area_bytes <= mapped + 16 * 4096
        assert all(s.matches(b"\x5a" * size) for s in new[3:])


def test_closing_in_another_thread_during_uses() -> None:
    """Each use sees the whole content or ClosedError, never something else."""
    data = b"\xa5" * 3000
    outcomes: set[str] = set()

    def use(secret: Secret) -> None:
        try:
            while True:
                assert secret.matches(data)
                assert hazmat.export_bytes(secret[1:-1]) == data[1:-1]
                with secret.reveal() as view:
                    assert view == data
        except ClosedError:
            outcomes.add("closed")

    for _ in range(20):
        secret = Secret.from_bytes(data)
        threads = [threading.Thread(target=use, args=[secret]) for _ in "123"]
        for thread in threads:
            thread.start()
        secret.close()
        for thread in threads:
            thread.join()
    assert outcomes == {"closed"}


@pytest.mark.parametrize("size", [1, 64, 4096, 70_000])
@pytest.mark.parametrize("isolated", [False, True])
def test_flush_changes_nothing_but_the_caches(
    size: int,
    isolated: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    """Content, views and closing are the same."""
    data = b"\x33" * size
    with Secret.from_bytes(data, flush=True, isolated=isolated) as secret:
        with secret.reveal() as view:
            assert view == data
        with secret.reveal(writable=True) as view:
            view[0] = 1
        assert secret.matches(b"\x01" + data[1:])
        part = secret[:1]
    assert part.matches(b"\x01")
