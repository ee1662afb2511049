"""Sources that run a command: ``cmd:`` and ``sh:``."""

from __future__ import annotations

import shlex
import signal
import subprocess
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem.sources._base import Stream
from secretmem.sources._text import syntax


if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self


class Command(Stream):
    """
    ``cmd:PROGRAM ARGUMENT...``: what a command writes to standard output.

    The pipe is read straight into secret memory.  No shell is involved: the
    text form is split as a shell splits words, with quotes and backslashes.
    Standard input and error are this process's own.

    Args:
        argv: Program and arguments.
        strip: As for every stream, but on: commands end with a newline.
        **options: As for every stream.
    """

    scheme = "cmd"

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
        child = subprocess.Popen(  # noqa: S603 - what the source names
            self._command(), stdout=subprocess.PIPE, bufsize=0
        )
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        secret = None
        try:
            with child.stdout:
                secret = Secret.from_fd(
                    child.stdout,
                    strip=self.strip,
                    max_size=self.max_size,
                    **options,
                )
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
            ended = f"the command was ended by {signal.Signals(-status).name}"
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
