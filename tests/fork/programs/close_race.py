"""
Close secrets in the parent while children make their first use of them.

Arguments: rounds, size in bytes, "own" or "shared" pages.  Prints how many
children saw the content and how many ClosedError; anything else is an error.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
import time

from secretmem import ClosedError, Secret, hazmat


CHILDREN = 2
FILL = b"\xa5"

# Byte 0: go; byte n: child n is ready.
flags = mmap.mmap(-1, 4096)
pick = random.Random(1)  # noqa: S311 - delays only


class Pace:
    """How long the parent waits, so that each outcome is about as likely."""

    seconds = 4e-4

    @classmethod
    def learn(cls, outcomes: list[int]) -> None:
        """Wait longer after early closes, and the other way round."""
        cls.seconds *= 1.3 if 0 not in outcomes else 0.77
        cls.seconds = min(max(cls.seconds, 1e-5), 0.5)


def wait(seconds: float) -> None:
    """Spin: sleeping is too coarse."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def first_use(secret: Secret, number: int, delay: float) -> int:
    """Be the child: 0 for the content, 1 for ClosedError, 2 for a lie."""
    flags[number] = 1
    while not flags[0]:
        pass
    wait(delay)
    try:
        data = hazmat.export_bytes(secret)
    except ClosedError:
        return 1
    return 0 if data == FILL * len(secret) else 2


def fork(secret: Secret, number: int) -> int:
    """Start a child."""
    delay = pick.uniform(0, 1e-4)
    pid = os.fork()
    if pid:
        return pid
    status = 3
    try:
        status = first_use(secret, number, delay)
    finally:
        os._exit(status)


def one_round(size: int, *, isolated: bool) -> list[int]:
    """Race once; return the children's outcomes."""
    flags[:] = bytes(4096)
    secret = Secret.from_bytes(FILL * size, inherit=True, isolated=isolated)
    children = [fork(secret, number) for number in range(1, CHILDREN + 1)]
    while flags[1 : CHILDREN + 1] != b"\1" * CHILDREN:
        time.sleep(0)
    flags[0] = 1
    wait(pick.uniform(0, Pace.seconds))
    secret.close()
    # What comes next must not be taken for it.
    after = [
        Secret.from_bytes(bytes(size), inherit=True, isolated=isolated)
        for _ in range(2)
    ]
    outcomes = [
        os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children
    ]
    del after
    Pace.learn(outcomes)
    return outcomes


def main(rounds: str, size: str, pages: str) -> None:
    """Race again and again, until both outcomes were there."""
    counts = [0, 0]
    done = 0
    # More, where the machine lets one side win again and again.
    while done < int(rounds) or not all(counts):
        done += 1
        for outcome in one_round(int(size), isolated=pages == "own"):
            if outcome not in {0, 1}:
                sys.exit(f"a child ended with {outcome}")
            counts[outcome] += 1
    sys.stdout.write(f"{counts[0]} {counts[1]}\n")


main(*sys.argv[1:])
