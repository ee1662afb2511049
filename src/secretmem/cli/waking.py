"""
Wait so that a signal ends the wait, whenever it comes.

A handler in Python runs between two instructions. One whose signal comes just
before read(2) or nanosleep(2) begins to wait would run only at the end of the
wait. The C handler writes to a socket (``signal.set_wakeup_fd``), which is
waited for too.
"""

from __future__ import annotations

import select
import signal
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _woken() -> Iterator[socket.socket]:
    """Give a socket that can be read as soon as a signal has come."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.settimeout(0)
        before = signal.set_wakeup_fd(
            theirs.fileno(), warn_on_full_buffer=False
        )
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(before)


def wait(seconds: float | None = None, fd: int | None = None) -> bool:
    """
    Wait until a descriptor can be read, or the time is over.

    Args:
        seconds: None is for ever.
        fd: None waits for the time only.

    Returns:
        Whether the descriptor can be read.

    Raises:
        ValueError: Not in the main thread, which alone handles signals.
        KeyboardInterrupt: And whatever else a signal's handler raises.
    """
    end = None if seconds is None else time.monotonic() + seconds
    with _woken() as woken:
        ready = select.poll()
        ready.register(woken, select.POLLIN)
        if fd is not None:
            ready.register(fd, select.POLLIN)
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            found = {
                each
                for each, _ in ready.poll(
                    None if left is None else left * 1000
                )
            }
            if fd in found:
                return True
            if woken.fileno() in found:
                # Its handler has run, and raised nothing.
                woken.recv(4096)
            elif not found:
                return False
