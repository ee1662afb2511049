"""Where ``seal`` and ``open`` write: a descriptor, or a file as a whole."""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from secretmem import _whole
from secretmem.cli.sweeping import sweeping


if TYPE_CHECKING:
    from collections.abc import Iterator

STDIO = "-"

# Names of this process' descriptors (proc_pid_fd(5)).  To open one anew would
# begin at the start of the file, not where the descriptor stands.
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self|/proc/thread-self)/fd/(\d+)")
# As many links as the kernel follows (path_resolution(7)).
_MOST_LINKS = 40


def refuse_terminal(path: str | None, refusal: str | None) -> None:
    """Say no, as `target` does, before somebody types for nothing."""
    if path is None and refusal and sys.stdout.isatty():
        raise click.UsageError(refusal)


@contextmanager
def target(path: str | None, mode: int, refusal: str | None) -> Iterator[int]:
    """
    Open the output; a file gets its name only when all of it is there.

    A symbolic link stays one: what it names is written.

    Args:
        path: None is standard output, which may not be a terminal if
            ``refusal`` says why; ``-`` is standard output whatever it is.
        mode: Of a new file; one that is replaced keeps its own.
        refusal: What to say instead of writing to a terminal.

    Raises:
        OSError: It cannot be written; ``filename`` is ``path``.
    """
    refuse_terminal(path, refusal)
    if path is None or path == STDIO:
        sys.stdout.flush()
        yield sys.stdout.fileno()
        return
    number = _descriptor(path)
    if number is not None:
        sys.stdout.flush()
        with _whole.named(path):
            os.fstat(number)
        yield number
        return
    old = _whole.status(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
        return
    with _whole.writing(path, mode, old, sweeping) as fd:
        yield fd


def _descriptor(path: str) -> int | None:
    """Return the descriptor that the path names, maybe by links."""
    for _ in range(_MOST_LINKS):
        normal = os.path.normpath(path)
        if normal in _STANDARD:
            return _STANDARD[normal]
        if match := _DESCRIPTOR.fullmatch(normal):
            return int(match[1])
        try:
            aim = os.readlink(path)  # noqa: PTH115 - text as it is
        except OSError:
            return None
        path = os.path.join(os.path.dirname(path), aim)  # noqa: PTH118, PTH120 - as above
    return None
