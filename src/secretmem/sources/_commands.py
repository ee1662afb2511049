"""Sources that run a command: ``cmd:`` and ``sh:``."""

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem._shown import signal_name
from secretmem.sources._base import Stream
from secretmem.sources._text import syntax


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Self


# Python ignores these at its start, and an ignored signal stays ignored.
PYTHONS_OWN = (signal.SIGPIPE, signal.SIGXFSZ)

_STDERR = 2

_LARGE = "let the command write less, or use sources.Command(max_size=...)"


class _Child:
    """
    A running program; ``output`` reads what it writes, and is the caller's.

    By posix_spawn(3), since Popen passes on which signals are blocked here: a
    program that cannot be ended by SIGTERM, of a parent that waits for it.
    """

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.output, writing = os.pipe()
        self._status: int | None = None
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_DUP2, writing, 1)]
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable()]
        try:
            self._pid = os.posix_spawnp(
                argv[0],
                argv,
                os.environ,
                file_actions=actions,
                setsigmask=[],
                setsigdef=PYTHONS_OWN,
            )
        except BaseException:
            os.close(self.output)
            raise
        finally:
            os.close(writing)

    def wait(self) -> int:
        """Wait for its end; minus the signal's number if killed."""
        if self._status is None:
            try:
                _, status = os.waitpid(self._pid, 0)
            except ChildProcessError:
                # SIGCHLD is ignored, and the kernel has forgotten it.
                status = 0
            self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def kill(self) -> None:
        """Kill it, unless it has been waited for."""
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)


def _inheritable() -> list[int]:
    """List what a program would get besides 0, 1 and 2."""
    numbers: Iterable[int]
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - numbers, not paths
    except OSError:
        numbers = range(os.sysconf("SC_OPEN_MAX"))
    return [fd for fd in numbers if fd > _STDERR and _is_inheritable(fd)]


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


class Command(Stream):
    """
    ``cmd:PROGRAM ARGUMENT...``: what a command writes to standard output.

    The pipe is read straight into secret memory.  No shell is involved: the
    text form is split as a shell splits words, with quotes and backslashes.
    Standard input and error are this process's own.  Reading it blocks
    until the command has ended.

    Args:
        argv: Program and arguments.
        strip: As for every stream, but on: commands end with a newline.
        **options: As for every stream.
    """

    scheme = "cmd"
    options = ()
    remedies = {  # noqa: RUF012 - a ClassVar, as the base says
        "missing": "check the name of the program, and PATH",
        "denied": "let this user execute it",
    }

    def __init__(
        self,
        argv: Sequence[str],
        *,
        strip: bool = True,
        **options: Any,  # noqa: ANN401 - as for every stream
    ) -> None:
        super().__init__(strip=strip, **options)
        if isinstance(argv, str) or not argv or not argv[0]:
            raise ValueError("a command is a list of program and arguments")
        self.argv = tuple(argv)

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Split into words; there are no options."""
        try:
            argv = shlex.split(rest)
        except ValueError:
            raise syntax(text, "a quotation mark is not closed") from None
        if not argv or not argv[0]:
            raise syntax(text, "it names no program")
        return cls(argv)

    @property
    def name(self) -> str:
        """The program's name."""
        return self.argv[0].rpartition("/")[2]

    def _load(self, options: dict[str, Any]) -> Secret:
        child = _Child(self._command())
        secret = None
        try:
            try:
                secret = Secret.from_fd(
                    child.output,
                    strip=self.strip,
                    max_size=self.max_size,
                    **options,
                )
            except ValueError as error:
                # Its remedy is an argument, which the text form has not.
                message = str(error).partition("; ")[0]
                raise self.error("content", message, _LARGE) from error
            finally:
                os.close(child.output)
            self._check(child.wait())
        except BaseException:
            if secret is not None:
                secret.close()
            child.kill()
            child.wait()
            raise
        return secret

    def _command(self) -> tuple[str, ...]:
        return self.argv

    def _check(self, status: int) -> None:
        if not status:
            return
        said = "its message is on standard error, if it has one"
        if status < 0:
            ended = f"the command was ended by {signal_name(-status)}"
        else:
            ended = f"the command ended with status {status}"
        raise self.error("command", ended, said)

    def __str__(self) -> str:
        return f"{self.scheme}:{shlex.join(self.argv)}"


class Shell(Command):
    """
    ``sh:TEXT``: the same, by ``/bin/sh -c``.

    Args:
        text: What the shell runs.
        **options: As for every stream.
    """

    scheme = "sh"

    def __init__(self, text: str, **options: Any) -> None:  # noqa: ANN401 - as for every stream
        super().__init__((text,), **options)

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the rest as it is."""
        if not rest.strip():
            raise syntax(text, "it names no program")
        return cls(rest)

    @property
    def name(self) -> str:
        """Of the shell."""
        return "sh"

    def _command(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", *self.argv)

    def __str__(self) -> str:
        return f"sh:{self.argv[0]}"
