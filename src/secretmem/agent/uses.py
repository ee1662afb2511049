"""The log of uses: who, which key, when; never what was signed."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from secretmem.agent.peer import Peer  # noqa: TC001 - a field


if TYPE_CHECKING:
    from secretmem.agent.identities import Identity
    from secretmem.agent.loop import Loop


# Entries that the agent keeps for its status.
_KEPT = 256
# Seconds in which lines are written together, and room for a remark.
_TOGETHER, _SPARE = 0.05, 64


class Use(NamedTuple):
    """One line of the log."""

    when: float
    what: str
    who: Peer | str
    key: str

    def __str__(self) -> str:
        key = f" {self.key}" if self.key else ""
        return f"{_stamp(int(self.when))} {self.what}{key} by {self.who}"


@lru_cache(maxsize=2)
def _stamp(when: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


class Uses:
    """
    Keeps the last uses and writes all of them to descriptors.

    Lines are written a moment later, together, so that a signature waits for
    none. A reader that does not read loses lines: it must not hold up the
    agent.
    """

    def __init__(self, loop: Loop, *fds: int) -> None:
        self._loop = loop
        self._writers = [_Writer(fd) for fd in fds]
        self._waiting: list[Use] = []
        self.last: deque[Use] = deque(maxlen=_KEPT)

    def note(
        self, what: str, peer: Peer | str, identity: Identity | None = None
    ) -> None:
        """Add a line."""
        key = "" if identity is None else identity.label
        use = Use(time.time(), what, peer, key)
        self.last.append(use)
        if self._writers:
            if not self._waiting:
                self._loop.later(_TOGETHER, self.flush)
            self._waiting.append(use)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        for use in waiting:
            line = f"{use}\n".encode("utf-8", "replace")
            for writer in self._writers:
                writer.add(line)
        for writer in self._writers:
            writer.flush()


class _Writer:
    """A descriptor for lines that is never waited for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ready = select.poll()
        self._ready.register(fd, select.POLLOUT)
        self._lines: list[bytes] = []
        self._size = 0
        self._lost = 0

    def add(self, line: bytes) -> None:
        """Take a line."""
        if self._size + len(line) > select.PIPE_BUF - _SPARE:
            self.flush()
        self._lines.append(line[: select.PIPE_BUF - _SPARE])
        self._size += len(line)

    def flush(self) -> None:
        """Write all lines at once, or count them as lost."""
        lines, self._lines, self._size = self._lines, [], 0
        if not lines:
            return
        if self._lost:
            lines.insert(0, b"%d lines were lost\n" % self._lost)
        # A pipe that is ready takes PIPE_BUF bytes at once (pipe(7)).
        if any(events & select.POLLOUT for _, events in self._ready.poll(0)):
            # A full disk is no reason to refuse a signature.
            with contextlib.suppress(OSError):
                os.write(self._fd, b"".join(lines))
                self._lost = 0
                return
        self._lost += len(lines) - bool(self._lost)
