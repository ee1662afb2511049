"""
Run a function in a forked child and learn how the child ended.

The child is a plain ``os.fork``, so that it goes through the fork handlers
of the code under test; a raw clone(2), which does not, can be had instead.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import resource
import select
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable


class Ended(NamedTuple):
    """
    How a child ended.

    ``value`` is what the function returned, ``error`` the name of the class
    that it raised with its message; ``signal`` is what killed it.
    """

    value: Any
    error: str | None
    signal: int | None
    trace: str = ""

    def result(self) -> Any:  # noqa: ANN401 - whatever the function returns
        """Return the value of a child that ended well."""
        assert self.signal is None, signal.Signals(self.signal).name
        assert self.error is None, self.trace
        return self.value


def start(act: Callable[[], object]) -> Child:
    """Fork, and run ``act`` in the child."""
    gc.collect()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        in_child(act, writing)
    os.close(writing)
    return Child(pid, reading)


def run(act: Callable[[], object], timeout: float = PATIENCE) -> Ended:
    """Run ``act`` in a child and wait for its end."""
    return start(act).wait(timeout)


def in_child(act: Callable[[], object], writing: int) -> None:
    """Be the child: run, tell, end. Never returns."""
    status = 1
    try:
        # One that waits for what never comes ends by itself.
        signal.alarm(600)
        # A child that is meant to crash says nothing and leaves nothing.
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            told = ("value", act(), "")
        except BaseException as error:  # noqa: BLE001 - the child's last words
            text = f"{type(error).__name__}: {error}"
            told = ("error", text, traceback.format_exc())
        data = pickle.dumps(told)
        with open(writing, "wb") as pipe:
            pipe.write(len(data).to_bytes(8, "big") + data)
        status = 0
    finally:
        os._exit(status)


class Child:
    """A child that runs a function."""

    def __init__(self, pid: int, reading: int) -> None:
        self.pid = pid
        self._reading = reading

    def wait(self, timeout: float = PATIENCE) -> Ended:
        """Wait for the end; a child that takes too long is killed."""
        said, in_time = self._read(timeout)
        if not in_time:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        assert in_time, f"the child hung; it said {said!r}"
        if os.WIFSIGNALED(status):
            return Ended(None, None, os.WTERMSIG(status))
        assert said, f"the child ended with {status} and said nothing"
        kind, what, trace = pickle.loads(said[8:])  # noqa: S301 - our own child
        if kind == "value":
            return Ended(what, None, None)
        return Ended(None, what, None, trace)

    def _read(self, timeout: float) -> tuple[bytes, bool]:
        until = time.monotonic() + timeout
        said = b""
        with open(self._reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
            while (left := until - time.monotonic()) > 0:
                if not select.select([pipe], [], [], left)[0]:
                    break
                part = pipe.read(1 << 16)
                said += part
                # A grandchild may keep the pipe open.
                size = int.from_bytes(said[:8], "big")
                if not part or len(said) - 8 == size:
                    return said, True
        return said, False
