"""
Fail the system calls of the fork handlers.

A child has an inherited secret or is told that it has not; parent and later
children are as if nothing had been.  Prints how many faults were met.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from secretmem import ForkError, Secret, _native


# The extension of test builds has two functions more.
native: Any = _native


def child(secrets: list[Secret]) -> int:
    """Look at every secret: right or refused, nothing else."""
    native.fault_disarm()
    for number, secret in enumerate(secrets):
        try:
            if not secret.matches(b"%d" % number):
                return 1
        except ForkError:
            pass
    with Secret.from_bytes(b"own") as own:
        return 0 if own.matches(b"own") else 2


def fork(secrets: list[Secret], nth: int, number: int, *, good: bool) -> int:
    """Fork under a fault; return how many were met."""
    native.fault_arm(nth, number, good)
    pid = os.fork()
    if not pid:
        status = 3
        try:
            status = child(secrets)
        finally:
            os._exit(status)
    met: int = native.fault_disarm()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        sys.exit(f"call {nth}: the child ended with {status}")
    for position, secret in enumerate(secrets):
        assert secret.matches(b"%d" % position)
    return met


def main() -> None:
    """Try each call, alone and for good."""
    secrets = [
        Secret.from_bytes(b"%d" % n, inherit=n % 3 != 0, isolated=n % 5 == 0)
        for n in range(20)
    ]
    total = 0
    for name in ("ENOMEM", "EPERM"):
        for good in (False, True):
            for nth in range(1000):
                met = fork(secrets, nth, getattr(errno, name), good=good)
                total += met
                if not met:
                    break
    for secret in secrets:
        secret.close()
    stats = _native.stats()
    assert stats["live"] == stats["unwiped"] == 0, stats
    sys.stdout.write(f"{total}\n")


main()
