"""
Stay as the parent: start the command again when it fails, or with new values.

Signals that are sent to this process are passed on; those of the terminal
reach the command by themselves, since it is in the same process group.  As
the first process of a container it also takes the orphans' ends.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from secretmem import harden
from secretmem.exceptions import LimitError, SourceError
from secretmem.launch.plan import PlanError
from secretmem.launch.prepare import Prepared, exit_code
from secretmem.sources import Descriptor, Environment, Prompt
from secretmem.sources._commands import PYTHONS_OWN


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.launch.plan import Plan


# Passed on; the others are the kernel's business or cannot be waited for.
PASSED = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
    }
)
_ENDING = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
_WAITED = PASSED | {signal.SIGCHLD}

# The terminal's, which the command has got, too (sigaction(2), SI_KERNEL).
_SI_KERNEL = 0x80

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LONG_RUN = 60.0
"""Seconds after which a failure is a new one, and the pause short again."""
_PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL, when there are new values."""

_ONCE = (Descriptor, Environment, Prompt)


class Wish(NamedTuple):
    """When the command is started again, and who is told."""

    restart: bool
    """After it failed."""
    reload: bool
    """When a source has changed, and after SIGHUP."""
    interval: float
    """Seconds from one look at the sources to the next."""
    say: Callable[[str], object]
    """Takes one line, without a secret."""


def check(plan: Plan) -> None:
    """Refuse sources that can be read once only; PlanError."""
    for name, source in plan.secrets.items():
        if any(isinstance(each, _ONCE) for each in source.leaves()):
            raise PlanError(
                f"the source of {name} can be read only once, so the command "
                "cannot be started again with it"
            )


class Supervisor:
    """Runs the command until it is to end."""

    def __init__(self, plan: Plan, wish: Wish, stamps: list[object]) -> None:
        """Take what was asked for; `run` does it."""
        self._plan = plan
        self._wish = wish
        self._stamps = stamps
        self._pid = 0
        self._status: int | None = None
        self._ending = False
        self._pause = _FIRST_PAUSE

    def run(self, prepared: Prepared) -> int:
        """
        Run it; gives the exit code, 128 and the signal's number if killed.

        Raises:
            OSError: It cannot be executed the first time.
        """
        old = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
        # Ignored, as it may be inherited, no end of a child would be told.
        before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            self._start(prepared)
            while True:
                status = self._until_the_end()
                if not self._again(status):
                    return _code(status)
        finally:
            signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def _start(self, prepared: Prepared) -> None:
        """Start it; no descriptor of a secret stays in this process."""
        with prepared:
            for fd in prepared.fds.values():
                os.set_inheritable(fd, True)  # noqa: FBT003 - by position only
            self._pid = os.posix_spawnp(
                self._plan.command[0],
                self._plan.command,
                prepared.variables,
                setsigmask=[],
                setsigdef=PYTHONS_OWN,
            )
            prepared.variables.clear()
        self._status = None
        self._started = time.monotonic()

    def _until_the_end(self) -> int:
        """Pass signals on, and look at the sources, until it has ended."""
        while self._status is None:
            wait = self._wish.interval if self._wish.reload else 3600.0
            got = signal.sigtimedwait(_WAITED, wait)
            if got is None:
                if self._wish.reload and look(self._plan) != self._stamps:
                    self._renew()
            elif got.si_signo == signal.SIGCHLD:
                self._reap()
            elif got.si_signo == signal.SIGHUP and self._wish.reload:
                self._renew()
            else:
                self._pass_on(got)
        return self._status

    def _pass_on(self, got: signal.struct_siginfo) -> None:
        self._ending = self._ending or got.si_signo in _ENDING
        if got.si_code != _SI_KERNEL:
            os.kill(self._pid, got.si_signo)

    def _reap(self) -> None:
        """Take the ends of all children; of the command it is noted."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)

    def _renew(self) -> None:
        """Read the sources; if that works, start the command with them."""
        prepared = self._read()
        # What cannot be read is not tried again before it changes.
        if prepared is None:
            return
        self._wish.say("the command is started again with new values")
        with prepared:
            self._stop()
            if not self._ending:
                self._start(prepared)

    def _stop(self) -> None:
        """End it, kindly at first."""
        os.kill(self._pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        while self._status is None:
            left = until - time.monotonic()
            got = signal.sigtimedwait(_WAITED, max(left, 0.0))
            if got is None:
                os.kill(self._pid, signal.SIGKILL)
                until += _PATIENCE
            elif got.si_signo == signal.SIGCHLD:
                self._reap()
            else:
                self._pass_on(got)

    def _again(self, status: int) -> bool:
        """Start it again if it failed, later each time; False is the end."""
        if self._ending or not status or not self._wish.restart:
            return False
        if time.monotonic() - self._started > _LONG_RUN:
            self._pause = _FIRST_PAUSE
        while True:
            pause, self._pause = self._pause, self._pause * 2
            self._pause = min(self._pause, _LONGEST_PAUSE)
            self._wish.say(
                f"the command ended with {_code(status)}; it is started "
                f"again in {pause:.0f} s"
            )
            if self._ends_in(pause):
                return False
            prepared = self._read()
            if prepared is None:
                continue
            try:
                self._start(prepared)
            except OSError as error:
                self._wish.say(f"it cannot be started: {error.strerror}")
                continue
            return True

    def _ends_in(self, seconds: float) -> bool:
        """Wait; tell whether a signal asked for the end meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            got = signal.sigtimedwait(_WAITED, left)
            if got is not None and got.si_signo in _ENDING:
                return True
            if got is not None and got.si_signo == signal.SIGCHLD:
                self._reap()
        return False

    def _read(self) -> Prepared | None:
        # Before: what changes while it is read shows at the next look.
        self._stamps = look(self._plan)
        try:
            return Prepared(self._plan)
        except (SourceError, LimitError, OSError) as error:
            self._wish.say(f"the command keeps what it has: {error}")
            return None


def look(plan: Plan) -> list[object]:
    """Give what is different when one of the sources has changed."""
    return [_stamp(each.stamp) for each in plan.secrets.values()]


def _stamp(stamp: Callable[[], object]) -> object:
    try:
        return stamp()
    except OSError as error:
        return error.errno


def _code(status: int) -> int:
    """Give the code of a command that ended; as shells do for signals."""
    return 128 - status if status < 0 else status


def supervise(
    plan: Plan, prepared: Prepared, wish: Wish, stamps: list[object]
) -> int:
    """
    Run the command under a parent; gives the exit code.

    ``stamps`` is what `look` gave before the sources were read.  It lives as
    long as the service, so nobody of the same user may attach to it.
    """
    # The command may write cores: execve(2) resets the one, not the other.
    harden(no_core=False)
    try:
        return Supervisor(plan, wish, stamps).run(prepared)
    except OSError as error:
        wish.say(f"{plan.command[0]}: {os.strerror(error.errno or 0)}")
        return exit_code(error)
