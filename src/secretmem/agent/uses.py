"""The log of uses: who, which key, when; never what was signed."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TextIO

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
    """Keeps the last uses and writes all of them to files."""

    def __init__(self, *files: TextIO) -> None:
        self._files = files
        self.last: deque[Use] = deque(maxlen=_KEPT)

    def note(
        self, what: str, peer: Peer | str, identity: Identity | None = None
    ) -> None:
        """Add a line."""
        key = "" if identity is None else identity.label
        use = Use(time.time(), what, peer, key)
        self.last.append(use)
        for file in self._files:
            # A full disk is no reason to refuse a signature.
            try:
                print(use, file=file, flush=True)
            except OSError:
                continue
