"""Signals that make watches read again: one handler for all of them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class _Shared:
    """The handler of one signal, with everybody who is told."""

    def __init__(self, number: int) -> None:
        self.told: list[Callable[[], None]] = []
        self.before = signal.signal(number, self.handle)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Tell all, and call the handler that was there."""
        told = list(self.told)
        for each in told:
            each()
        if callable(self.before):
            self.before(number, frame)
        elif not told:
            # The last one left in another thread, which could not put back.
            self.put_back(number)
            signal.raise_signal(number)

    def put_back(self, number: int) -> None:
        """Install what was there, unless somebody has installed another."""
        # None is a handler that Python does not know: ours calls nobody.
        if self.before is not None and signal.getsignal(number) == self.handle:
            signal.signal(number, self.before)


_shared: dict[int, _Shared] = {}


def tell(number: int, told: Callable[[], None]) -> Callable[[], None]:
    """
    Let a signal tell somebody.

    Returns:
        What ends that; also in another thread.

    Raises:
        ValueError: Not in the main thread, or the signal cannot be handled.
    """
    shared = _shared.get(number)
    if shared is None or signal.getsignal(number) != shared.handle:
        # None of ours, or another one was put over it, which is called too.
        shared = _Shared(number)
        _shared[number] = shared
    shared.told.append(told)

    def end() -> None:
        shared.told.remove(told)
        if shared.told:
            return
        try:
            shared.put_back(number)
        except ValueError:  # not the main thread: the handler does it
            return
        if _shared.get(number) is shared:
            del _shared[number]

    return end
