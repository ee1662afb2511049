"""Pass secrets to pools: ``pools.py METHOD``."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from secretmem import Secret
from secretmem.crypto import Hmac


KEPT: list[Secret] = []


def keep(secret: Secret) -> None:
    """Initialize a worker."""
    KEPT.append(secret)


def sign(secret: Secret, message: bytes) -> bytes:
    """Use a secret that came with the task."""
    # Tasks of one chunk share it.
    return Hmac(secret).digest(message)


def sign_kept(message: bytes) -> bytes:
    """Use the secret that came at the start."""
    return Hmac(KEPT[0]).digest(message)


def main() -> None:
    """Two kinds of pools, tasks and initializers."""
    context: Any = multiprocessing.get_context(sys.argv[1])
    secret = Secret.random(32, inherit=True)
    right = Hmac(secret).digest(b"m")
    with context.Pool(2, initializer=keep, initargs=(secret,)) as pool:
        tasks = [(secret, b"m")] * 10
        assert pool.starmap(sign, tasks) == [right] * 10
        assert pool.map(sign_kept, [b"m"] * 10) == [right] * 10
    with ProcessPoolExecutor(
        2, mp_context=context, initializer=keep, initargs=(secret,)
    ) as executor:
        found = executor.map(sign, [secret] * 10, [b"m"] * 10)
        assert list(found) == [right] * 10
        assert executor.submit(sign_kept, b"m").result() == right
    sys.stdout.write("fine\n")


if __name__ == "__main__":
    main()
