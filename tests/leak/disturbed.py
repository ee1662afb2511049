"""Operations under samples, while signals arrive."""

from __future__ import annotations

import faulthandler
import signal


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from leak.stage import Stage


_LEAST = 20


def under_signals(
    stage: Stage, action: Callable[[], object], part: int = 1
) -> None:
    """
    Repeat an action while the driver takes samples.

    A timer sends 2,000 signals in a second to a handler of the program's, and
    faulthandler has given the thread an ordinary signal stack.
    """
    seen = []
    faulthandler.enable()
    signal.signal(signal.SIGALRM, lambda *_args: seen.append(1))
    action()
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    stage.sampled(action, part)
    # A few samples are soon taken.
    while len(seen) < _LEAST:
        action()
    signal.setitimer(signal.ITIMER_REAL, 0)
