"""
Fill a store or a dict: ``python -m bench.sealed_child KIND COUNT``.

KIND is ``store`` or ``dict``; the answer is a `bench.sealed.Filled` as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.child import become_unprivileged
from bench.footprint import NOBODY, PAGE
from bench.operations import DATA
from secretmem import SealedStore, Secret, posture


if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 64 << 10
# Values in a window of time; the best window is told, and the median.
WINDOW = 1000
SECONDS = 1e9
# Of all values, so many are opened, spread over them.
OPENED = 100_000


def resident() -> int:
    """Give the resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * PAGE


def windows(
    names: list[str], one: Callable[[str], object]
) -> tuple[float, float]:
    """Do it for each name; best and median time of one, in ns."""
    took = []
    for at in range(0, len(names), WINDOW):
        part = names[at : at + WINDOW]
        start = perf_counter()
        for name in part:
            one(name)
        took.append((perf_counter() - start) / len(part) * SECONDS)
    return min(took), median(took)


def timed(action: Callable[[], object]) -> float:
    """Do it; seconds."""
    start = perf_counter()
    action()
    return perf_counter() - start


def filled(
    put: Callable[[str], object],
    get: Callable[[str], object],
    names: list[str],
) -> dict[str, Any]:
    """Put all, get some."""
    before = resident()
    best_put, usual_put = windows(names, put)
    each = (resident() - before) / len(names)
    some = names[:: max(1, len(names) // OPENED)]
    best_get, usual_get = windows(some, get)
    return {
        "values": len(names),
        "put": best_put,
        "put_median": usual_put,
        "get": best_get,
        "get_median": usual_get,
        "each": each,
        "locked": 0,
    }


def of_dict(names: list[str]) -> dict[str, Any]:
    """Fill a dict with bytes."""
    values: dict[str, bytes] = {}

    def put(name: str) -> None:
        values[name] = bytes(memoryview(DATA))

    measured = filled(put, values.__getitem__, names)
    return {"key": "dict of bytes", **measured}


def of_store(names: list[str], folder: str) -> dict[str, Any]:
    """Fill a store from one Secret."""
    key = SealedStore.generate_key()
    store = SealedStore(key)
    value = Secret.from_bytes(DATA)

    def put(name: str) -> None:
        store[name] = value

    def get(name: str) -> None:
        with store[name].open():
            pass

    put("")
    get("")
    del store[""]
    measured = filled(put, get, names)
    assert len(store) == len(names)
    path = Path(folder, "store")
    again: list[SealedStore] = []
    measured |= {
        "key": "SealedStore",
        "save": timed(lambda: store.save(path)),
        "load": timed(lambda: again.append(SealedStore.load(path, key))),
        "file": path.stat().st_size / len(names),
        "rekey": timed(store.rekey),
        "locked": posture().locked_bytes,
    }
    for name in (names[0], names[-1]):
        with store[name].open() as new, again[0][name].open() as loaded:
            assert new == loaded == value
    return measured


def main(kind: str, count: str) -> None:
    """Fill it, as a user without privileges under the limit."""
    names: list[str] = [f"user:{number}" for number in range(int(count))]
    if kind == "dict":
        print(json.dumps(of_dict(names)))
        return
    with tempfile.TemporaryDirectory(prefix="secretmem-bench-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        become_unprivileged(LIMIT, NOBODY)
        print(json.dumps(of_store(names, folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
