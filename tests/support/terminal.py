"""A program on a terminal of its own, and a person who types at it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from support import alone
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# The terminal becomes the controlling one, as after login.
_CONTROL = "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"

_LFLAG = 3


class Session:
    """The person's side."""

    def __init__(self, person: int, child: subprocess.Popen[bytes]) -> None:
        self._person = person
        self._child = child
        self.seen = b""

    def settings_are_as_before(self) -> bool:
        """Tell whether the terminal is as a new one is."""
        fresh, other = pty.openpty()
        try:
            return termios.tcgetattr(fresh) == termios.tcgetattr(self._person)
        finally:
            os.close(fresh)
            os.close(other)

    def type(self, text: str) -> None:
        """Type; control characters act as such keys do."""
        os.write(self._person, text.encode())

    def echoes(self) -> bool:
        """Tell whether typed characters are shown."""
        lflag: int = termios.tcgetattr(self._person)[_LFLAG]
        return bool(lflag & termios.ECHO)

    def expect(self, text: str, timeout: float = PATIENCE) -> bytes:
        """Wait until the program shows ``text``; return what was shown."""
        until = time.monotonic() + timeout
        while text.encode() not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} was not shown: {self.seen!r}"
            if select.select([self._person], [], [], left)[0]:
                self._read(text)
        shown, _, rest = self.seen.partition(text.encode())
        self.seen = rest
        return shown

    def _read(self, text: str) -> None:
        try:
            part = os.read(self._person, 1 << 16)
        except OSError:  # EIO: the program closed the terminal
            part = b""
        assert part, f"{text!r} was not shown: {self.seen!r}"
        self.seen += part

    def silent(self, until: Callable[[], bool]) -> None:
        """Wait until the program has reached a state."""
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end
            time.sleep(0.005)

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self._child.send_signal(number)

    def end(self) -> int:
        """Wait for the end; return the exit status."""
        return self._child.wait(PATIENCE)


@contextmanager
def session(
    function: Callable[..., object],
    *arguments: alone.Argument,
    control: bool = True,
) -> Iterator[Session]:
    """Run a function in a fresh interpreter on a new terminal."""
    person, program = pty.openpty()
    code = (_CONTROL if control else "") + alone.source(
        function, *arguments
    ).removeprefix("from __future__ import annotations\n")
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=program,
        stdout=program,
        stderr=program,
        start_new_session=True,
    )
    os.close(program)
    try:
        yield Session(person, child)
    finally:
        os.close(person)
        child.kill()
        child.wait()
