"""
Asking on the terminal: without echo, and with echo again on every way out.

A signal that stops or ends the program must not leave the terminal without
echo, and a program that goes on after a stop must not read with echo on.  So
those signals are taken while the terminal is asked.  One that comes is noted,
the reading is given up, the terminal and the signals are put back, the signal
is sent again, and where the program lives on, it asks again.
(readpassphrase(3) of OpenBSD and OpenSSH has shown that way.)
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from functools import partial


TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol, TypeVar

    from secretmem._secret import Secret

    S = TypeVar("S", bound=Secret)
    S_co = TypeVar("S_co", bound=Secret, covariant=True)

    class Read(Protocol[S_co]):
        """Read a line; None at the end of the input."""

        def __call__(
            self, fd: int, *, between: Callable[[], None]
        ) -> S_co | None: ...


_LFLAG = 3
# How often signals are looked at while the terminal takes no output: as often
# as while it gives no input.
_MILLISECONDS = 250


class _CameError(BaseException):
    """A signal came for which the terminal is put back."""


def ask_for(
    cls: type[S], text: str, options: dict[str, Any], *, confirm: bool
) -> S:
    """Ask, twice to confirm; see `Secret.prompt`."""
    read = partial(cls._read, line=True, strip=False, **options)
    first: S = ask(read, text)
    if confirm:
        with ask(read, f"{text}(again) ") as second:
            if first != second:
                first.close()
                raise ValueError("the two answers differ")
    return first


def ask(read: Read[S_co], text: str) -> S_co:
    """
    Ask on the controlling terminal, or on standard input.

    Args:
        read: Reads a line of the descriptor that it is given.
        text: The prompt; shown again when the program goes on after a stop.

    Raises:
        EOFError: The terminal's input ended.
        OSError: There is no terminal; it cannot be read.
        ValueError: The line is too long.
        KeyboardInterrupt: Ctrl-C.
    """
    with _opened() as fd:
        while True:
            with suppress(_CameError):
                answer = _ask_once(fd, read, text)
                if answer is None:
                    raise EOFError("the terminal's input ended")
                return answer


def _ask_once(fd: int, read: Read[S_co], text: str) -> S_co | None:
    with _signals() as came, _echo_off(fd, came):

        def look() -> None:
            if came:
                raise _CameError

        # What was typed before the prompt was flushed with the echo.
        _show(fd, text, look)
        return read(fd, between=look)


@contextmanager
def _opened() -> Iterator[int]:
    # Without waiting: input that poll(2) has seen may be gone by read(2), when
    # a signal's key dropped it, and signals shall be looked at then.
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        fd = os.open("/dev/tty", flags)
    except OSError:
        if not os.isatty(0):
            raise
        yield 0
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _show(fd: int, text: str, look: Callable[[], None]) -> None:
    """Write the prompt; Ctrl-S may hold it up."""
    import select

    room = select.poll()
    room.register(fd, select.POLLOUT)
    left = text.encode()
    look()
    while left:
        room.poll(_MILLISECONDS)
        with suppress(BlockingIOError):
            left = left[os.write(fd, left) :]
        look()


# -- echo ---------------------------------------------------------------------


@contextmanager
def _echo_off(fd: int, came: list[int]) -> Iterator[None]:
    import termios

    try:
        old = termios.tcgetattr(fd)
    except termios.error as error:
        raise OSError(*error.args) from None
    new = old[:]
    new[_LFLAG] = (new[_LFLAG] & ~termios.ECHO) | termios.ICANON
    try:
        number = _set(fd, new, came)
        if number not in (0, errno.EINTR):
            raise OSError(number, os.strerror(number))
        # Where another job has the terminal, the signal that said so is there.
        yield
    finally:
        _surely(lambda: _put_back(fd, old, came))


def _put_back(fd: int, old: list[Any], came: list[int]) -> None:
    # Where it fails the terminal is gone, or another job's by now.
    if _set(fd, old, came) == 0:
        # The newline that was typed was not echoed.
        with suppress(OSError):
            os.write(fd, b"\n")


def _set(fd: int, attributes: list[Any], came: list[int]) -> int:
    """Set the terminal; return 0 or the errno, EINTR for another job's."""
    import signal
    import termios

    before = len(came)
    while signal.SIGTTOU not in came[before:]:
        try:
            termios.tcsetattr(fd, termios.TCSAFLUSH, attributes)
        except termios.error as error:
            number: int = error.args[0]
            if number != errno.EINTR:
                return number
        else:
            return 0
    return errno.EINTR


# -- signals ------------------------------------------------------------------


def _ending() -> list[int]:
    """Return those that end a program, and that others send."""
    from signal import SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM

    return [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGPIPE]


def _stopping() -> list[int]:
    from signal import SIGTSTP, SIGTTIN, SIGTTOU

    return [SIGTSTP, SIGTTIN, SIGTTOU]


@contextmanager
def _signals() -> Iterator[list[int]]:
    """
    Note the signals that stop, end or continue the program.

    Those that the program handles, ignores or blocks stay with it.  Python
    handles signals in the main thread: in another one none is taken.
    """
    import signal

    came: list[int] = []

    def note(number: int, _frame: object) -> None:
        came.append(number)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    taken = _free(before)
    try:
        for number in taken:
            signal.signal(number, note)
        yield came
    finally:
        try:
            _give_back(taken, note, before)
        finally:
            _send_again(came)


def _free(blocked: set[signal.Signals | int]) -> list[int]:
    """Return the signals that nobody else takes."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return []
    caught = _caught()
    return [
        number
        for number in (*_ending(), *_stopping(), signal.SIGCONT)
        if number not in blocked
        and signal.getsignal(number) is signal.SIG_DFL
        and not caught >> number - 1 & 1
    ]


def _caught() -> int:
    """Return a bit for each signal that is handled, by C too (proc(5))."""
    with suppress(OSError), open("/proc/self/status", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
        for line in file:
            if line.startswith(b"SigCgt:"):
                return int(line.split()[1], 16)
    return 0


def _give_back(
    taken: list[int], note: object, before: set[signal.Signals | int]
) -> None:
    """Make the default of all again; what comes meanwhile is not lost."""
    import signal

    def default() -> None:
        for number in taken:
            # Not twice: by then it may be somebody else's.
            if signal.getsignal(number) is note:
                signal.signal(number, signal.SIG_DFL)

    if not taken:
        return
    try:
        # Else one could come between Python's last look and the default.
        # This looks at what came before.
        _surely(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, taken))
    finally:
        try:
            _surely(default)
        finally:
            # Those that came since are delivered here.
            _surely(lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))


def _send_again(came: list[int]) -> None:
    """Let the signal do what it does by default."""
    for each in (*_ending(), *_stopping()):
        if each in came:
            os.kill(os.getpid(), each)
            return


def _surely(call: Callable[[], object]) -> None:
    """
    Call until it is done, whatever handlers raise meanwhile.

    Ctrl-C twice is such a case.  What was raised is raised afterwards.
    """
    raised: BaseException | None = None
    while True:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised below
            raised = error
        else:
            break
    if raised is not None:
        raise raised
