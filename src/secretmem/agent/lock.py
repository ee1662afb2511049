"""The lock of the agent: a passphrase in secret memory, and slow guesses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem import Secret
    from secretmem.agent.loop import Loop, Timer


# Seconds by which each wrong passphrase makes the next one slower, and the
# longest wait: those of OpenSSH.
_STEP, _MOST = 0.1, 10.0
# Guesses that may wait for their turn; more are refused at once.
_QUEUE = 16


class Lock:
    """
    Locked or not.

    Guesses are tried one after the other, whoever sends them, so that many
    connections guess no faster than one. Nothing else waits for them.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.passphrase: Secret | None = None
        self._wrong = 0
        self._free_at = 0.0
        self._waiting = 0

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
        return {"wrong": self._wrong, "wait": max(self.wait(), 0.0)}

    def restore(
        self, passphrase: Secret | None, noted: dict[str, float]
    ) -> None:
        """Lock again, with the guesses that there were."""
        self.passphrase = passphrase
        self._wrong = int(noted["wrong"])
        self._free_at = time.monotonic() + noted["wait"]

    def unlock(
        self, passphrase: Secret, done: Callable[[bool], None]
    ) -> Callable[[], None]:
        """
        Try a passphrase when its turn comes; call ``done`` with the verdict.

        Returns what forgets the attempt.
        """
        if self._waiting == _QUEUE:
            passphrase.close()
            done(False)  # noqa: FBT003 - the verdict is all there is to say
            return lambda: None
        self._waiting += 1
        attempt = _Attempt(self, passphrase, done)
        attempt.go_on()
        return attempt.end

    def wait(self) -> float:
        """Return the seconds until the next guess may be tried."""
        return self._free_at - time.monotonic()

    def later(self, delay: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` after ``delay`` seconds."""
        return self._loop.later(delay, action)

    def left(self) -> None:
        """Count one attempt less."""
        self._waiting -= 1

    def fits(self, passphrase: Secret) -> bool:
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
        self, lock: Lock, passphrase: Secret, done: Callable[[bool], None]
    ) -> None:
        self._lock = lock
        self._passphrase = passphrase
        self._done = done
        self._timer: Timer | None = None
        self._ended = False

    def go_on(self) -> None:
        """Try, or wait for the turn."""
        wait = self._lock.wait()
        if wait > 0:
            self._timer = self._lock.later(wait, self.go_on)
            return
        fits = self._lock.fits(self._passphrase)
        self._passphrase.close()
        wait = self._lock.wait()
        if wait > 0:
            self._timer = self._lock.later(wait, lambda: self._tell(fits))
        else:
            self._tell(fits)

    def _tell(self, fits: bool) -> None:  # noqa: FBT001 - a verdict
        self.end()
        self._done(fits)

    def end(self) -> None:
        """Forget the attempt."""
        if not self._ended:
            self._ended = True
            self._lock.left()
        self._passphrase.close()
        if self._timer is not None:
            self._timer.cancel()
