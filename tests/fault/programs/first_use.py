"""
Fail each system call of the very first use, in a child that starts anew.

Arguments: names of errnos.  Prints how many faults were met.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any

from secretmem import (
    ForkError,
    LimitError,
    Secret,
    UnavailableError,
    _limits,
    _native,
)


MOST_CALLS = 1000

# As in inject.py.
_limits.regime = lambda: None
_limits.scan = lambda uid, proc="": ([], 0 * uid * len(proc))

# The extension of test builds has two functions more.
native: Any = _native


def first_use() -> None:
    """Use everything that is set up once."""
    with Secret.from_bytes(b"first") as secret:
        assert secret.matches(b"first")
        with secret.reveal() as view:
            assert bytes(view) == b"first"


def fork_is_handled() -> None:
    """The handlers work however the start went."""
    with Secret.from_bytes(b"private") as secret:
        pid = os.fork()
        if not pid:
            try:
                secret.matches(b"private")
            except ForkError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0


def child(nth: int, number: int, *, for_good: bool) -> int:
    """Fail once; then it must work. 1 if the fault was met, else 0."""
    descriptors = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers
    native.fault_arm(nth, number, for_good)
    try:
        first_use()
    except (LimitError, UnavailableError):
        pass
    except OSError as error:
        assert error.errno == number, error  # noqa: PT017 - no pytest here
    met: bool = native.fault_disarm() > 0
    now = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers
    assert now == descriptors, (now, descriptors)
    first_use()
    assert _native.stats()["live"] == _native.stats()["unwiped"]
    fork_is_handled()
    return int(met)


def in_child(nth: int, number: int, *, for_good: bool) -> int:
    """Run `child` in a process that has not begun."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 2
    try:
        status = child(nth, number, for_good=for_good)
    except BaseException:  # noqa: BLE001 - told by the exit status
        traceback.print_exc()
    finally:
        os._exit(status)


def main(*names: str) -> None:
    """Fail call after call."""
    assert not _native.started()
    total = 0
    for name in names:
        for for_good in (False, True):
            for nth in range(MOST_CALLS):
                status = in_child(nth, getattr(errno, name), for_good=for_good)
                if status not in {0, 1}:
                    sys.exit(f"{name}, call {nth}, {for_good}: {status}")
                total += status
                if not status:
                    break
            else:
                sys.exit(f"more than {MOST_CALLS} calls")
    sys.stdout.write(f"{total}\n")


main(*sys.argv[1:])
