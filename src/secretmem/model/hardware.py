"""
What happens in the processor: cache lines filled, events counted.

The counts are what the cost model prices. The set of cached lines is what a
cache attack can see, and what the patch set's uncached mode kept empty.
"""

from __future__ import annotations

from collections import Counter
from typing import Final


LINE: Final = 64
"""Bytes in a cache line."""
WORD: Final = 8
"""Bytes that one uncached load or store moves."""


class Processor:
    """
    Counters of events and the state of the caches.

    Attributes:
        events: how often each event happened: "fault", "flush", "split",
            "cached access" (one cache line) and "uncached access" (one
            word).
        cached: lines whose content lies in a cache, by frame.

    """

    def __init__(self) -> None:
        """Start with cold caches."""
        self.events: Counter[str] = Counter()
        self.cached: dict[int, set[int]] = {}

    def access(
        self, frame: int, begin: int, size: int, *, uncached: bool
    ) -> None:
        """Load or store `size` bytes at `begin` of `frame`."""
        if uncached:
            self.events["uncached access"] += -(-size // WORD)
            return
        first, last = begin // LINE, (begin + size - 1) // LINE
        self.events["cached access"] += last + 1 - first
        self.cached.setdefault(frame, set()).update(range(first, last + 1))

    def flush_lines(self, frame: int) -> None:
        """Flush every line of `frame` out of the caches (CLFLUSHOPT)."""
        self.cached.pop(frame, None)

    def lines_of(self, frame: int) -> int:
        """Give how many lines of `frame` lie in a cache."""
        return len(self.cached.get(frame, ()))
