"""Stopping a thread of another process, without waiting for ever."""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path
from typing import TYPE_CHECKING

from secretmem import _policy


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem import _native
else:
    _native = _policy.bind()


PATIENCE = 3.0
"""Seconds within which a thread has to stop."""

# Seconds for one that was given up, before it is left to the kernel.
_LAST = 0.05

# Seconds between two questions, after some without a pause: a thread stops
# within microseconds, or waits for something else.
_PAUSE = 0.001
_AT_ONCE = 100


class CannotStop(Exception):  # noqa: N818 - a state, which the report tells
    """
    A thread does not stop in time.

    It is in an uninterruptible sleep: vfork(2) until its child is another
    program or ends, a file server that does not answer.
    """

    def __init__(self, thread: int, state: str) -> None:
        """Say which and how."""
        super().__init__(f"thread {thread} cannot be stopped (state {state})")


@contextlib.contextmanager
def stopped(thread: int, patience: float = PATIENCE) -> Iterator[None]:
    """
    Stop a thread of another process for the length of a block.

    A signal that arrives here meanwhile, such as Ctrl-C, is handled.

    Args:
        thread: Its number.
        patience: Seconds to wait for it.

    Raises:
        CannotStop: It does not stop in time, and goes on as it was.
        ProcessLookupError: It is not there, or ended.
        PermissionError: This process may not.
    """
    end = time.monotonic() + patience
    # One that sleeps so is not attached to: it cannot be let go before it
    # has stopped, and then would stand until this thread ends.
    for _ in _until(end):
        if state(thread) != "D":
            break
    else:
        raise CannotStop(thread, "D")
    _seize(thread)
    signal = None
    try:
        signal = _wait(thread, end)
        if signal is None:
            raise CannotStop(thread, state(thread))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            if signal is None:
                signal = _wait(thread, time.monotonic() + _LAST)
            # One that did not stop even now is let go by the kernel when
            # this thread ends: ptrace(2) has no other way.
            if signal is not None:
                _native.trace_resume(thread, signal)


def _seize(thread: int) -> None:
    try:
        _native.trace_seize(thread)
    except PermissionError:
        # ptrace(2) says so of one that is ending, too.
        if state(thread) in "ZX":
            raise ProcessLookupError(errno.ESRCH, "it is ending") from None
        raise


def state(thread: int) -> str:
    """Give the letter of proc_pid_stat(5); ProcessLookupError if it ended."""
    try:
        text = Path(f"/proc/{thread}/stat").read_text("utf-8", "replace")
    except FileNotFoundError as error:
        raise ProcessLookupError(error.errno, "no such thread") from error
    return text.rpartition(")")[2].split()[0]


def _wait(thread: int, end: float) -> int | None:
    """Give the signal that a thread stopped at, None if it does not stop."""
    for _ in _until(end):
        signal: int | None = _native.trace_stopped(thread)
        if signal is not None:
            return signal
    return None


def _until(end: float) -> Iterator[None]:
    """Yield at least once, then again and again until that time."""
    asked = 0
    while True:
        yield
        if time.monotonic() >= end:
            return
        asked += 1
        time.sleep(0 if asked < _AT_ONCE else _PAUSE)
