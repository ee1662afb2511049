"""The fake's views: a window of ordinary memory while the block runs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, Literal

from secretmem.exceptions import BorrowError


if TYPE_CHECKING:
    from types import TracebackType

    from secretmem.testing._secret import SecretBase


IN_USE: Final = (
    "a buffer of the view is still in use (a slice, an array or another "
    "object made from it); release it before the with block ends"
)


class Windows:
    """
    All windows that are out.

    Attributes:
        open: windows whose block runs, and orphans.
        orphans: windows that outlived their block.

    """

    def __init__(self) -> None:
        """Start with none."""
        self.open = 0
        self.orphans: list[tuple[bytearray, SecretBase, bool]] = []

    def collect(self) -> None:
        """Wipe the orphans that nobody uses any more."""
        if not self.orphans:
            return
        waiting = self.orphans
        self.orphans = []
        for window, secret, writable in waiting:
            if _in_use(window):
                self.orphans.append((window, secret, writable))
            else:
                _wipe(window)
                self.open -= 1
                secret.end_view(writable=writable)


WINDOWS: Final = Windows()


class View:
    """The context manager of `Secret.reveal`."""

    _window: bytearray | None = None

    def __init__(self, secret: SecretBase, *, writable: bool) -> None:
        """Show `secret` when it is entered."""
        self._window = None
        self._secret = secret
        self._writable = writable
        self._shown: memoryview | None = None
        self._entered = False

    def __enter__(self) -> memoryview:
        """Copy the secret into a window and show it."""
        if self._entered:
            raise RuntimeError("a view is entered once; call reveal() again")
        self._entered = True
        WINDOWS.collect()
        data = self._secret.start_view(writable=self._writable)
        self._window = bytearray(data)
        WINDOWS.open += 1
        self._shown = self._memoryview()
        return self._shown

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Literal[False]:
        """Wipe the window, or leave it to whoever still uses it."""
        clean = exception is None
        if self._end(write_back=clean and self._writable):
            if exception is None:
                raise BorrowError(IN_USE)
            exception.add_note(IN_USE)
        return False

    def __del__(self) -> None:
        """End a view whose block was never left."""
        self._end(write_back=False)

    def _end(self, *, write_back: bool) -> bool:
        """Wipe the window; tell whether somebody uses it still."""
        window = self._window
        if window is None:
            return False
        shown, self._window, self._shown = self._shown, None, None
        if shown is not None:
            with contextlib.suppress(BufferError):
                shown.release()
        del shown
        if _in_use(window):
            WINDOWS.orphans.append((window, self._secret, self._writable))
            return True
        back = bytes(window) if write_back else None
        _wipe(window)
        WINDOWS.open -= 1
        self._secret.end_view(writable=self._writable, data=back)
        return False

    def __buffer__(self, flags: int, /) -> memoryview:
        """Give the window while the block runs (Python 3.12 asks)."""
        if self._window is None:
            raise BufferError("the view is not open")
        return self._memoryview()

    def _memoryview(self) -> memoryview:
        assert self._window is not None  # noqa: S101 the callers looked
        shown = memoryview(self._window)
        return shown if self._writable else shown.toreadonly()


def _in_use(window: bytearray) -> bool:
    """A bytearray refuses to grow while anything exports it."""
    try:
        window.append(0)
    except BufferError:
        return True
    del window[-1:]
    return False


def _wipe(window: bytearray) -> None:
    window[:] = bytes(len(window))
