"""`Watch`: a source that is followed, and its value of now."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from secretmem._shown import unless_unmade
from secretmem.exceptions import LimitError, SourceError
from secretmem.sources import _signals


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

    from secretmem import Secret
    from secretmem.sources._base import Source


class _Value:
    """A value, who uses it, and whether there is a newer one."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret
        self.users = 0
        self.old = False

    def end_if_unused(self) -> None:
        """Close it after its last use."""
        if self.old and not self.users:
            self.secret.close()


class Watch:
    """
    A source that is followed; made by `Source.watch`.

    ``with watch.use() as secret:`` gives the value of now.  When the source
    has changed, the next use has the new value, and the old one is closed
    when the last block that uses it has ended.  A source that cannot be read
    any more keeps its last value; `failure` says why.

    Nothing runs in the background unless `follow` was called: a use looks at
    the source at most once per interval (one stat(2) of a file), and reads
    it only if it looks different, or cannot and ``poll`` was asked for.  Safe
    to use from several threads.  In a forked child the source is read anew.
    """

    def __init__(
        self,
        source: Source,
        interval: float,
        options: dict[str, Any],
        *,
        poll: bool = False,
    ) -> None:
        """Read it for the first time; see `Source.watch`."""
        if not interval >= 0:
            raise ValueError("an interval is a number of seconds")
        self.source = source
        self.interval = interval
        self.failure: SourceError | LimitError | None = None
        """Why the source could not be read at the last look, or None."""
        self.changes = 0
        """How many new values there were after the first."""
        self._options = options
        self._poll = poll
        self._untold: list[Callable[[], None]] = []
        self._closed = threading.Event()
        self._signalled = False
        self._begin()

    def _begin(self) -> None:
        """Read in this process."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._due = time.monotonic() + self.interval
        self._stamp = self._stamped()
        self._value = _Value(self.source.read(**self._options))

    @contextmanager
    def use(self) -> Iterator[Secret]:
        """
        Give the value of now until the block ends.

        Blocks as the source's ``read`` does, if it has changed.

        Raises:
            ValueError: The watch was closed.
        """
        self._look_if_due()
        with self._lock:
            value = self._value
            value.users += 1
        try:
            yield value.secret
        finally:
            with self._lock:
                value.users -= 1
                value.end_if_unused()

    def check(self) -> bool:
        """
        Look now, and read even what cannot be told to have changed.

        Blocks as the source's ``read`` does.

        Returns:
            Whether there is a new value.  What goes wrong is in `failure`.
        """
        self._check_open()
        with self._looking:
            return self._look(force=self._stamped() is None)

    def follow(self, changed: Callable[[Watch], object]) -> threading.Thread:
        """
        Look each interval in a thread of its own, and call after a change.

        A change that a use or `check` has seen first counts too; of several
        between two looks it is called once.

        Args:
            changed: Called in that thread with this watch.  What it raises
                goes to ``threading.excepthook``, and ends the thread.

        Returns:
            The thread, a daemon; it ends when the watch is closed.
        """

        def run() -> None:
            seen = before
            while not self._closed.wait(max(self.interval, 0.05)):
                with self._looking:
                    self._look(force=self._signalled)
                # It may be that somebody else has looked first.
                if (now := self.changes) != seen:
                    seen = now
                    changed(self)

        self._check_open()
        before = self.changes
        thread = threading.Thread(
            target=run, name=f"watch {self.source.name}", daemon=True
        )
        thread.start()
        return thread

    def on_signal(self, number: int) -> None:
        """
        Read again at the next use after this signal, such as SIGHUP.

        Several watches may have the same signal.  The handler that was there
        is called too, and is put back when the last of them was closed.

        Raises:
            ValueError: Not in the main thread.
        """
        self._check_open()
        self._untold.append(_signals.tell(number, self._told))

    def _told(self) -> None:
        self._signalled = True

    def close(self) -> None:
        """Stop following; the value ends after its last use."""
        if self._closed.is_set():
            return
        self._closed.set()
        while self._untold:
            self._untold.pop()()
        with self._lock:
            self._value.old = True
            self._value.end_if_unused()

    def _look_if_due(self) -> None:
        self._check_open()
        if os.getpid() != self._pid:
            self._begin()
            return
        due = time.monotonic() >= self._due
        # One thread looks; the others go on with what there is.
        if (due or self._signalled) and self._looking.acquire(blocking=False):
            try:
                self._look(force=self._signalled)
            finally:
                self._looking.release()

    def _look(self, *, force: bool) -> bool:
        """Read it if it looks different; the caller holds ``_looking``."""
        self._signalled = False
        self._due = time.monotonic() + self.interval
        stamp = self._stamped()
        same = stamp == self._stamp and self.failure is None
        if stamp is None:
            same = not self._poll
        if same and not force:
            return False
        try:
            secret = self.source.read(**self._options)
        except (SourceError, LimitError) as error:
            self.failure = error
            return False
        # What changed after the stamp was taken shows at the next look.
        self._stamp, self.failure = stamp, None
        return self._replace(secret)

    def _replace(self, secret: Secret) -> bool:
        """Take a value if it is another one."""
        with self._lock:
            old = self._value
            if self._closed.is_set() or secret == old.secret:
                secret.close()
                return False
            self._value = _Value(secret)
            self.changes += 1
            old.old = True
            old.end_if_unused()
        return True

    def _stamped(self) -> object | None:
        try:
            return self.source.stamp()
        except OSError as error:
            # Reading it says what is wrong; coming back is a change.
            return ("absent", error.errno)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ValueError("the watch was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @unless_unmade
    def __repr__(self) -> str:
        state = (
            "closed" if self._closed.is_set() else f"{self.changes} changes"
        )
        return f"<Watch {self.source}, {state}>"
