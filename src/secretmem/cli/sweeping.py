"""Removing a file that is not finished when a signal ends the program."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Python makes KeyboardInterrupt of SIGINT itself.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
# Ends the waiting; sent to that thread alone, where nothing else uses it.
_DONE = signal.SIGRTMIN


@contextmanager
def sweeping(path: Path) -> Iterator[None]:
    """
    Remove a file when SIGTERM or SIGHUP ends the program.

    A handler in Python would not do: it runs between two steps of the
    interpreter, and a signal that comes just before a read(2) that waits
    would wait with it.  So the signals are blocked, and a thread takes them.
    One that the program ignores or handles stays with it.
    """
    endings = {
        each for each in _ENDINGS if signal.getsignal(each) is signal.SIG_DFL
    }
    if not endings:
        yield
        return
    sweeper = threading.Thread(
        target=_sweep, args=(path, endings), daemon=True
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*endings, _DONE})
    try:
        sweeper.start()
        try:
            yield
        finally:
            assert sweeper.ident is not None  # noqa: S101 - it has started
            signal.pthread_kill(sweeper.ident, _DONE)
            sweeper.join()
    finally:
        # One that came since the thread ended is delivered here.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sweep(path: Path, endings: set[signal.Signals]) -> None:
    """Wait for a signal; end the program as it would have ended."""
    number = signal.sigwait({*endings, _DONE})
    if number == _DONE:
        return
    path.unlink(missing_ok=True)
    # The disposition is the default one, and this thread takes it now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, endings)
    os.kill(os.getpid(), number)
