"""A million values under 64 KiB of locked memory."""

from __future__ import annotations

import pytest

from support import alone


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]


def million(count: int) -> None:
    """Put them all, open some, save and load them; look at the memory."""
    import resource
    import tempfile
    from pathlib import Path

    limit = 64 << 10
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    import secretmem
    from secretmem import SealedStore, Secret

    def resident() -> int:
        text = Path("/proc/self/statm").read_text("utf-8")
        return int(text.split()[1]) * 4096

    names = [f"user:{number}" for number in range(count)]
    values = [Secret.from_bytes(b"%032d" % number) for number in range(10)]
    key = SealedStore.generate_key()
    store = SealedStore(key)
    before = resident()
    for number, name in enumerate(names):
        store[name] = values[number % 10]
    each = (resident() - before) / count
    assert len(store) == count
    # A record and its place in a dict; the limit leaves room for others.
    assert each < 200, each

    def opens(some: SealedStore) -> None:
        for number in range(0, count, 1009):
            with some[names[number]].open() as value:
                assert value == values[number % 10]

    opens(store)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store")
        store.save(path)
        store.close()
        with SealedStore.load(path, key) as again:
            assert len(again) == count
            opens(again)
            # One stack of 24 KiB among it.
            now = secretmem.posture()
            assert (now.stack_bytes, now.stacks) == (24 << 10, 1)
            assert now.locked_bytes <= limit
    print(count)  # noqa: T201 - the program's output


def test_a_million_values() -> None:
    """They are really there: each has its record, and some are opened."""
    said = alone.passes_unprivileged(million, 1_000_000, timeout=900)
    assert said.strip() == "1000000"
