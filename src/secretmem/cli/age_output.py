"""Where ``seal`` and ``open`` write: a descriptor, or a file as a whole."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
# What a file system without files that have no name answers (open(2)).
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR)


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
    if path is None or path == STDIO:
        sys.stdout.flush()
        if path is None and refusal and sys.stdout.isatty():
            raise click.UsageError(refusal)
        yield sys.stdout.fileno()
        return
    number = _descriptor(path)
    if number is not None:
        sys.stdout.flush()
        with _named(path):
            os.fstat(number)
        yield number
        return
    old = _status(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
        return
    whole = _Whole(path, mode, old)
    fd_or_none = _without_name(whole)
    writing = (
        _part(whole) if fd_or_none is None else _unnamed(whole, fd_or_none)
    )
    with writing as fd:
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


def _status(path: str) -> os.stat_result | None:
    """
    Return the status of what is there already.

    This follows links, so where the kernel refuses to (protected_symlinks,
    proc_sys_fs(5)), that error ends it.
    """
    try:
        return os.stat(path)  # noqa: PTH116 - the status only
    except FileNotFoundError:
        return None


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Let errors name the output as the caller did."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


class _Whole:
    """A file that appears, or replaces an old one, when all is written."""

    def __init__(
        self, path: str, mode: int, old: os.stat_result | None
    ) -> None:
        self.path = path
        self.final = Path(os.path.realpath(path))
        self.part = self.final.with_name(
            f".{self.final.name}.{secrets.token_hex(4)}.part"
        )
        # Nobody else reads it before it has its owner and its own mode.
        self.mode = mode if old is None else 0o600
        self._old = old

    def finish(self, fd: int) -> None:
        """Give it the mode of the old file, and let it reach the disk."""
        old = self._old
        if old is not None:
            mode = stat.S_IMODE(old.st_mode) & 0o777
            now = os.fstat(fd)
            if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid):
                try:
                    os.fchown(fd, old.st_uid, old.st_gid)
                except OSError:
                    # The old mode would let another group read it.
                    mode &= 0o700
            os.fchmod(fd, mode)
        # A rename may reach the disk before the content (fsync(2)).
        os.fsync(fd)

    @contextmanager
    def swept(self) -> Iterator[None]:
        """Remove the part if this fails, or a signal ends the program."""
        with sweeping(self.part):
            try:
                yield
            except BaseException:
                self.part.unlink(missing_ok=True)
                raise

    def link(self, fd: int) -> None:
        """Name a file without a name, over an old one too."""
        with suppress(FileExistsError):
            _link(fd, self.final)
            return
        # linkat(2) replaces nothing, so it needs a name to be renamed from.
        with self.swept():
            _link(fd, self.part)
            self.part.rename(self.final)


def _link(fd: int, name: Path) -> None:
    # os.link follows the link of /proc only with a folder's descriptor; an
    # absolute name makes no use of it.
    os.link(f"/proc/self/fd/{fd}", name, src_dir_fd=fd, follow_symlinks=True)


@contextmanager
def _unnamed(whole: _Whole, fd: int) -> Iterator[int]:
    """Write a file without a name, which is gone however this ends."""
    try:
        yield fd
        with _named(whole.path):
            whole.finish(fd)
            whole.link(fd)
    finally:
        os.close(fd)


def _without_name(whole: _Whole) -> int | None:
    """Open a file without a name; None where that cannot be."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a link needs it
        return None
    flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
    try:
        with _named(whole.path):
            return os.open(whole.final.parent, flags, whole.mode)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise


@contextmanager
def _part(whole: _Whole) -> Iterator[int]:
    """Write a file with a name of its own, which is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with whole.swept():
        with _named(whole.path):
            fd = os.open(whole.part, flags, whole.mode)
        try:
            yield fd
            with _named(whole.path):
                whole.finish(fd)
        finally:
            os.close(fd)
        with _named(whole.path):
            whole.part.rename(whole.final)
