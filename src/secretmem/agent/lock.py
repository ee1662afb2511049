"""The lock of the agent: a passphrase in secret memory, and slow guesses."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem import Secret
    from secretmem.agent.loop import Loop, Timer


# Seconds by which each wrong passphrase makes the next one slower, and the
# longest wait: those of OpenSSH.
_STEP, _MOST = 0.1, 10.0
# Guesses of one process that may wait for their turn; more are refused at
# once. A host that the agent is forwarded to comes as one process, its ssh.
_QUEUE = 8


class Lock:
    """
    Locked or not.

    Guesses are tried one after the other, whoever sends them, so that many
    connections guess no faster than one. Nothing else waits for them.
    Processes take turns: one that guesses without end makes the others wait
    for one guess of its, not for all.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.passphrase: Secret | None = None
        self._wrong = 0
        self._free_at = 0.0
        # By process, the one whose turn is next in front, but for the last.
        self._waiting: dict[int, deque[_Attempt]] = {}
        self._last = 0
        self._turn: Timer | None = None

    @property
    def locked(self) -> bool:
        """Whether the agent is locked."""
        return self.passphrase is not None

    def lock(self, passphrase: Secret) -> bool:
        """Lock, unless it is locked; tell whether it did."""
        if self.locked or not len(passphrase):
            return False
        self.passphrase = passphrase
        self._wrong = 0
        return True

    def noted(self) -> dict[str, float] | None:
        """Return what else is to be known of a lock; None when it is open."""
        if not self.locked:
            return None
        return {"wrong": self._wrong, "wait": max(self._wait(), 0.0)}

    def restore(
        self, passphrase: Secret | None, noted: dict[str, float]
    ) -> None:
        """Lock again, with the guesses that there were."""
        self.passphrase = passphrase
        self._wrong = int(noted["wrong"])
        self._free_at = time.monotonic() + noted["wait"]

    def unlock(
        self, passphrase: Secret, pid: int, done: Callable[[bool], None]
    ) -> Callable[[], None]:
        """
        Try a passphrase when its turn comes; call ``done`` with the verdict.

        Returns what forgets the attempt of the process ``pid``.
        """
        attempt = _Attempt(passphrase, done)
        waiting = self._waiting.setdefault(pid, deque())
        if len(waiting) == _QUEUE:
            attempt.tell(False)  # noqa: FBT003 - the verdict is all there is
            return attempt.end
        waiting.append(attempt)
        self._go_on()
        return attempt.end

    def _wait(self) -> float:
        """Return the seconds until the next guess may be tried."""
        return self._free_at - time.monotonic()

    def _go_on(self) -> None:
        """Try what waits, or wait for the turn."""
        while self._waiting and self._turn is None:
            wait = self._wait()
            if wait > 0:
                self._turn = self._loop.later(wait, self._next_turn)
            else:
                self._try_next()

    def _next_turn(self, told: Callable[[], None] | None = None) -> None:
        """Tell the verdict of the last guess, then try the next."""
        self._turn = None
        if told is not None:
            told()
        self._go_on()

    def _try_next(self) -> None:
        """Try the next guess of the process whose turn it is."""
        others = (pid for pid in self._waiting if pid != self._last)
        pid = self._last = next(others, self._last)
        waiting = self._waiting.pop(pid)
        attempt = waiting.popleft()
        if waiting:
            # Behind the others.
            self._waiting[pid] = waiting
        if attempt.ended:
            return
        fits = self._fits(attempt.passphrase)
        attempt.passphrase.close()
        wait = self._wait()
        if wait > 0:
            self._turn = self._loop.later(
                wait, lambda: self._next_turn(lambda: attempt.tell(fits))
            )
        else:
            attempt.tell(fits)

    def _fits(self, passphrase: Secret) -> bool:
        """Try a passphrase; open the lock, or make the next one slower."""
        if self.passphrase is None:
            return False
        if self.passphrase == passphrase:
            self.passphrase.close()
            self.passphrase = None
            self._wrong = 0
            return True
        self._wrong += 1
        delay = min(self._wrong * _STEP, _MOST)
        self._free_at = time.monotonic() + delay
        return False


class _Attempt:
    """One guess on its way."""

    def __init__(
        self, passphrase: Secret, done: Callable[[bool], None]
    ) -> None:
        self.passphrase = passphrase
        self._done = done
        self.ended = False

    def tell(self, fits: bool) -> None:  # noqa: FBT001 - a verdict
        """Tell the verdict, unless nobody waits for it any more."""
        if not self.ended:
            self.end()
            self._done(fits)

    def end(self) -> None:
        """Forget the attempt."""
        self.ended = True
        self.passphrase.close()
