"""
Fail the 1st, 2nd, 3rd ... system call of each operation.

As SQLite's tests do it: an operation is tried with its nth call failing, for
n = 0, 1, 2 ..., until it completes without reaching the fault; once with
that call failing alone, once with all later ones failing too.  After each
try: the error is a clean one, nothing leaked, nothing else changed, and the
operation works.

Arguments: "warm" or "cold" (idle memory is given back before each try), and
the names of errnos.  Prints how many faults were met.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

import operations  # type: ignore[import-not-found]  # beside this program
from operations import changed_to

import secretmem
from secretmem import LimitError, UnavailableError, _limits, _native


if TYPE_CHECKING:
    from collections.abc import Callable


# Those may be asked again and again; failing for good they would never end.
ONCE = {errno.EINTR, errno.EAGAIN}
MOST_CALLS = 5000

# How a limit is counted and who holds the rest is found by reading much of
# /proc; thousands of errors need not know.
_limits.regime = lambda: None
_limits.scan = lambda uid, proc="": ([], 0 * uid * len(proc))

# The extension of test builds has two functions more.
native: Any = _native

met = 0


def clean(error: BaseException, number: int) -> bool:
    """Tell whether an error is the right one for an errno."""
    if isinstance(error, LimitError):
        return number in {
            errno.ENOMEM,
            errno.EAGAIN,
            errno.EFAULT,
            errno.EPERM,
        }
    if isinstance(error, UnavailableError):
        return number == errno.EPERM
    return isinstance(error, OSError) and error.errno == number


def held() -> tuple[object, ...]:
    """What must be the same after a failure."""
    now = _native.stats()
    return (
        now["live"] - now["unwiped"],
        now["views_open"],
        now["views_orphaned"],
        now["stacks_in_use"],
        sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208 - numbers
    )


def look_at_the_change() -> None:
    """A write-back happened whole or not at all."""
    for found in changed_to:
        assert found.matches(b"before") or found.matches(b"-after")
        found.close()
    changed_to.clear()


def attempt(
    act: Callable[[], object], nth: int, number: int, *, for_good: bool
) -> tuple[object, BaseException | None, int]:
    """Try once with a fault: result, error, faults met."""
    result, error = None, None
    native.fault_arm(nth, number, for_good)
    try:
        result = act()
    except Exception as caught:  # noqa: BLE001 - judged by the caller
        error = caught
        error.__traceback__ = None
        error.__context__ = None
    hits = native.fault_disarm()
    return result, error, hits


def inject(
    name: str,
    act: Callable[[], object],
    number: int,
    *,
    for_good: bool,
    cold: bool,
) -> None:
    """Try an operation with each of its calls failing."""
    global met  # noqa: PLW0603 - one count
    expected = act()
    look_at_the_change()
    for nth in range(MOST_CALLS):
        if cold:
            secretmem.trim()
        before = held()
        result, error, hits = attempt(act, nth, number, for_good=for_good)
        where = f"{name}, call {nth}, {errno.errorcode[number]}, {for_good}"
        if error is None:
            assert result == expected, where
        else:
            assert hits, f"{where}: {error!r}"
            assert clean(error, number), f"{where}: {error!r}"
        look_at_the_change()
        after = held()
        assert after == before, f"{where}: {before} became {after}"
        if error is not None or nth % 8 == 0:
            assert operations.fixed.intact(), where
            assert act() == expected, where
            look_at_the_change()
        met += hits
        if not hits:
            return
    raise AssertionError(f"{name}: more than {MOST_CALLS} calls")


def nothing_grew() -> None:
    """After all of it the memory is what the fixed secrets need."""
    for secret in operations.fixed.all:
        secret.close()
    secretmem.trim()
    now = secretmem.posture()
    assert now.live == now.unwiped, now
    assert now.window_bytes == 0, now
    if not now.unwiped:
        assert now.area_bytes == 0, now


def main(temperature: str, *names: str) -> None:
    """Inject into every operation."""
    acts = operations.operations()
    for name, act in acts.items():
        for errno_name in names:
            number = getattr(errno, errno_name)
            for for_good in (False, True):
                if for_good and number in ONCE:
                    continue
                inject(
                    name,
                    act,
                    number,
                    for_good=for_good,
                    cold=temperature == "cold",
                )
    nothing_grew()
    sys.stdout.write(f"{met}\n")


main(*sys.argv[1:])
