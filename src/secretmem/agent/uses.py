"""The log of uses: who, which key, when; never what was signed."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from secretmem.agent.peer import Peer  # noqa: TC001 - a field


if TYPE_CHECKING:
    from secretmem.agent.identities import Identity


# Entries that the agent keeps for its status.
_KEPT = 256


class Use(NamedTuple):
    """One line of the log."""

    when: float
    what: str
    who: Peer | str
    key: str

    def __str__(self) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.when))
        key = f" {self.key}" if self.key else ""
        return f"{stamp} {self.what}{key} by {self.who}"


class Uses:
    """
    Keeps the last uses and writes all of them to descriptors.

    A reader that does not read loses lines: it must not hold up the agent.
    """

    def __init__(self, *fds: int) -> None:
        self._writers = [_Writer(fd) for fd in fds]
        self.last: deque[Use] = deque(maxlen=_KEPT)

    def note(
        self, what: str, peer: Peer | str, identity: Identity | None = None
    ) -> None:
        """Add a line."""
        key = "" if identity is None else identity.label
        use = Use(time.time(), what, peer, key)
        self.last.append(use)
        if self._writers:
            line = f"{use}\n".encode("utf-8", "replace")
            for writer in self._writers:
                writer.write(line)


class _Writer:
    """A descriptor for lines that is never waited for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ready = select.poll()
        self._ready.register(fd, select.POLLOUT)
        self._lost = 0

    def write(self, line: bytes) -> None:
        """Write a line, or count it as lost."""
        # A pipe that is ready takes PIPE_BUF bytes at once (pipe(7)).
        if any(events & select.POLLOUT for _, events in self._ready.poll(0)):
            if self._lost:
                line = b"%d lines were lost\n" % self._lost + line
            try:
                os.write(self._fd, line[: select.PIPE_BUF])
            except OSError:
                # A full disk is no reason to refuse a signature.
                self._lost += 1
            else:
                self._lost = 0
        else:
            self._lost += 1
