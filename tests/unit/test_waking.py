"""Waiting in the commands: a signal ends it, whenever it comes."""

from __future__ import annotations

import os
import signal

import pytest

from secretmem.cli import waking
from support import alone


def test_it_ends_when_there_is_something_to_read() -> None:
    """Or when the time is over."""
    reading, writing = os.pipe()
    assert not waking.wait(0, reading)
    assert not waking.wait(0.01)
    os.write(writing, b"x")
    assert waking.wait(fd=reading)
    os.close(writing)
    os.read(reading, 1)
    assert waking.wait(fd=reading)
    os.close(reading)


def interrupted(number: int) -> None:
    """Be sent signals while waiting, or just before; say what they did."""
    import os
    import signal
    import threading
    import time

    from secretmem.cli import waking

    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        seen.append(number)
        if len(seen) == 3:
            raise TimeoutError

    def send() -> None:
        while len(seen) < 3:
            os.kill(os.getpid(), number)
            time.sleep(0.01)

    signal.signal(number, handle)
    try:
        threading.Thread(target=send).start()
        waking.wait()
    except TimeoutError:
        print("ended", signal.set_wakeup_fd(-1))  # noqa: T201 - its result


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_runs_at_once(number: signal.Signals) -> None:
    """What it raises ends the wait; else the wait goes on."""
    assert alone.passes(interrupted, int(number)) == "ended -1\n"
