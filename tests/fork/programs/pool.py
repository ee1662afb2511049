"""A pool of forked workers whose tasks use a secret of the module."""

from __future__ import annotations

import multiprocessing

from secretmem import Secret


KEY = Secret.from_bytes(b"key of all", inherit=True)


def task(number: int) -> int:
    """Use the key."""
    assert KEY.matches(b"key of all")
    with KEY.reveal() as view:
        return number * view.nbytes


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(task, range(50)) == list(range(0, 500, 10))
    assert KEY.matches(b"key of all")
