"""
How long the suite waits for what must come.

A wait that is too short fails on a slow or busy machine; one that is too long
only delays the news of a hang. So there is one, and it is long. It is no
measure of speed: nothing passes because it took less.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


# Seconds. Less than pytest's faulthandler_timeout, so that a test says itself
# what did not come.
PATIENCE = 300.0


def wait_until(happens: Callable[[], object], what: str = "") -> None:
    """Wait until something is true; fail after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, what or "it does not happen"
        time.sleep(0.005)
