"""The arena seen from outside: counts, pages given back, no growth."""

from __future__ import annotations

import os
import random
import threading
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

import secretmem
from secretmem import Secret
from support import holdings
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

PAGE = 4096
# The largest area behind mprotect(2) and behind a key.
LARGEST_AREA = {"mprotect": 8 * PAGE, "pku": 256 * PAGE}


def slot(size: int, *, inherit: bool, isolated: bool) -> int:
    """Give an upper bound of what a secret of a size takes for itself."""
    whole = size + 8 + 8 * inherit
    if isolated or whole > 2048:
        return -(-whole // PAGE) * PAGE
    # Slots grow by at most a half from one size to the next.
    return max(32, whole * 3 // 2 + 16)


class ArenaMachine(RuleBasedStateMachine):
    """Allocate and free in bulk; the model is a list of sizes."""

    @initialize()
    def begin(self) -> None:
        """Start from what the process has at rest."""
        secretmem.trim()
        self.base = secretmem.posture()
        self.secrets: list[tuple[Secret, int]] = []
        self.byte = 0

    @rule(
        count=st.integers(1, 150),
        size=st.one_of(st.integers(0, 300), st.integers(0, 6000)),
        inherit=st.booleans(),
    )
    def make(self, count: int, size: int, inherit: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        """Many of one size."""
        self.add(count, size, inherit=inherit, isolated=False)

    @rule(count=st.integers(1, 8), size=st.integers(0, 70_000))
    def make_own(self, count: int, size: int) -> None:
        """Some with pages of their own."""
        self.add(count, size, inherit=False, isolated=True)

    def add(self, count: int, size: int, **options: Any) -> None:  # noqa: ANN401 - keywords
        """Make secrets that can be told apart."""
        for _ in range(count):
            self.byte = (self.byte + 1) % 251
            data = bytes([self.byte]) * size
            made = Secret.from_bytes(data, **options)
            bound = slot(size, **options)
            self.secrets.append((made, bound))
            made_of[id(made)] = self.byte

    @rule(seed=st.integers(0, 1 << 16), share=st.floats(0, 1))
    def close_some(self, seed: int, share: float) -> None:
        """A random part, in random order."""
        pick = random.Random(seed)  # noqa: S311 - which ones
        pick.shuffle(self.secrets)
        keep = int(len(self.secrets) * share)
        for secret, _ in self.secrets[keep:]:
            self.check(secret)
            secret.close()
        del self.secrets[keep:]

    @rule()
    def close_all(self) -> None:
        """Nothing is left; areas but one of each kind are given back."""
        self.close_some(0, 0)
        now = secretmem.posture()
        most = 2 * LARGEST_AREA[now.gate]
        assert now.area_bytes <= self.base.area_bytes + most

    @rule()
    def trim(self) -> None:
        """What is idle is unmapped; the kernel agrees."""
        secretmem.trim()
        now = secretmem.posture()
        assert now.window_bytes == self.base.window_bytes
        assert now.locked_bytes == holdings.secret_bytes()
        if not self.secrets:
            assert now.area_bytes == self.base.area_bytes

    @rule(seed=st.integers(0, 1 << 16))
    def fork(self, seed: int) -> None:
        """A child that looks at some freezes what it can see."""
        pick = random.Random(seed)  # noqa: S311 - which ones
        given = [s for s, _ in self.secrets if s.inherit]
        looked = pick.sample(given, min(len(given), 5))
        pid = os.fork()
        if not pid:
            status = 1
            try:
                for secret in looked:
                    self.check(secret)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0

    def check(self, secret: Secret) -> None:
        """Compare with what was put in."""
        byte = made_of[id(secret)]
        assert secret.matches(bytes([byte]) * len(secret))

    @invariant()
    def bounded(self) -> None:
        """Counts are exact; bytes are within the slots' own size."""
        if not hasattr(self, "secrets"):
            return
        now = secretmem.posture()
        assert now.live == self.base.live + len(self.secrets)
        inherited = sum(s.inherit for s, _ in self.secrets)
        assert now.live_inherit == self.base.live_inherit + inherited
        assert now.unwiped == 0
        self.most = max(
            getattr(self, "most", 0), sum(bound for _, bound in self.secrets)
        )
        # Fragments of what was once live are bounded by what was once live.
        room = 8 * self.most + 64 * LARGEST_AREA["mprotect"]
        if now.gate == "mprotect":
            assert now.area_bytes <= self.base.area_bytes + room

    def teardown(self) -> None:
        """At the end all of it is given back."""
        for secret, _ in getattr(self, "secrets", []):
            self.check(secret)
            secret.close()
        made_of.clear()
        secretmem.trim()
        if hasattr(self, "base"):
            assert secretmem.posture().area_bytes == self.base.area_bytes


# By id: the byte that fills a secret.
made_of: dict[int, int] = {}


TestArenaMachine = ArenaMachine.TestCase
TestArenaMachine.settings = settings(
    max_examples=times(40, least=15),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def churn(seed: int, rounds: int, live: int) -> None:
    """Replace random ones of a few live secrets of all sizes."""
    pick = random.Random(seed)  # noqa: S311 - sizes
    secrets = [Secret.random(32) for _ in range(live)]
    for _ in range(rounds):
        size = int(2 ** pick.uniform(0, 12))
        inherit = pick.random() < 0.3
        secrets[pick.randrange(live)] = Secret.random(size, inherit=inherit)


@pytest.mark.parametrize("threads", [1, 4])
def test_churn_of_all_sizes_does_not_grow(threads: int) -> None:
    """The second thousand needs no more memory than the first."""
    secretmem.trim()
    before = secretmem.posture()
    sizes = []
    for turn in range(4):
        running = [
            threading.Thread(
                target=churn, args=[turn * 10 + n, times(2000, 500), 100]
            )
            for n in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        sizes.append(secretmem.posture().area_bytes)
    now = secretmem.posture()
    assert now.live == before.live
    slack = 2 * LARGEST_AREA[now.gate]
    assert max(sizes) <= before.area_bytes + slack
    secretmem.trim()
    assert secretmem.posture().area_bytes == before.area_bytes


def test_a_full_arena_in_churn_stays_near_its_size() -> None:
    """Sizes shift while much is live: empty pages change hands."""
    secretmem.trim()
    base = secretmem.posture().area_bytes
    pick = random.Random(1)  # noqa: S311 - which ones
    secrets = [Secret.random(32) for _ in range(2000)]
    total = [secretmem.posture().area_bytes - base]
    for size in (500, 40, 1000, 100, 32):
        for place in pick.sample(range(2000), 2000):
            secrets[place] = Secret.random(size)
        total.append(secretmem.posture().area_bytes - base)
    # 1000 bytes take a slot of 1024; the largest mix is what bounds it.
    assert max(total) <= 2000 * 1024 * 3 // 2 + (1 << 20)
    assert total[-1] <= 2000 * 64 * 4 + (1 << 20)


def test_every_page_is_used_before_another_is_taken() -> None:
    """Slots are packed: the cost per secret is its slot."""
    for size, most in ((24, 32), (32, 64), (120, 128), (1000, 1024)):
        secretmem.trim()
        base = secretmem.posture().area_bytes
        secrets = [Secret.random(size) for _ in range(3000)]
        used = secretmem.posture().area_bytes - base
        assert used <= 3000 * most * 1.1 + (64 << 10), (size, used)
        secrets.clear()
