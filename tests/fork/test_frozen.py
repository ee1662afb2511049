"""Frozen areas: never used again, and given back when they are empty."""

from __future__ import annotations

import os

import pytest

import secretmem
from secretmem import Secret
from support import forked, holdings
from support.scale import times


pytestmark = pytest.mark.needs_secretmem


def fork_and_wait() -> None:
    """Fork a child that does nothing."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_forking_again_and_again_takes_no_memory() -> None:
    """With long-lived inherited secrets and short-lived ones in between."""
    kept = [Secret.from_bytes(b"kept", inherit=True) for _ in range(10)]
    fork_and_wait()
    sizes = []
    for _ in range(times(60, least=20)):
        with (
            Secret.random(32, inherit=True),
            Secret.random(5000, inherit=True),
        ):
            fork_and_wait()
        sizes.append(secretmem.posture().area_bytes)
    assert max(sizes[5:]) <= max(sizes[:5]) + 16 * 4096
    assert all(secret.matches(b"kept") for secret in kept)


def test_one_new_secret_per_fork_costs_little() -> None:
    """A server that keeps one per child: each freezes a small area."""
    before = secretmem.posture().area_bytes
    count = times(40, least=20)
    kept = []
    for number in range(count):
        kept.append(Secret.from_bytes(b"%d" % number, inherit=True))
        fork_and_wait()
    used = secretmem.posture().area_bytes - before
    assert used <= count * 4 * 4096
    assert all(s.matches(b"%d" % number) for number, s in enumerate(kept))


def test_a_frozen_area_goes_with_its_last_secret() -> None:
    """Also when it is the only one."""
    secretmem.trim()
    before = holdings.secret_bytes()
    for _ in range(3):
        secrets = [Secret.random(32, inherit=True) for _ in range(500)]
        fork_and_wait()
        assert holdings.secret_bytes() > before
        for secret in secrets:
            secret.close()
        assert secretmem.posture().live_inherit == 0
        secretmem.trim()
        assert holdings.secret_bytes() == before


def test_an_empty_area_is_not_frozen() -> None:
    """There is nothing in it to be seen."""
    with Secret.random(32, inherit=True):
        pass
    before = secretmem.posture().areas
    for _ in range(5):
        fork_and_wait()
        with Secret.random(32, inherit=True):
            assert secretmem.posture().areas <= before + 1
    assert secretmem.posture().areas <= before + 1


def test_private_areas_are_not_frozen() -> None:
    """Forking costs private secrets nothing."""
    secrets = [Secret.random(32) for _ in range(10)]
    before = secretmem.posture().area_bytes
    for _ in range(10):
        fork_and_wait()
        secrets += [Secret.random(32) for _ in range(2)]
    assert secretmem.posture().area_bytes <= before + 4096


def test_a_child_keeps_little_of_the_parents_areas() -> None:
    """It uses memory of its own from the first use on."""
    secrets = [Secret.from_bytes(b"x%d" % n, inherit=True) for n in range(100)]

    def child() -> tuple[int, int]:
        for number, secret in enumerate(secrets):
            assert secret.matches(b"x%d" % number)
        now = secretmem.posture()
        return now.live_inherit, now.area_bytes

    live, size = forked.run(child).result()
    assert live == 100
    assert size <= 64 * 4096
