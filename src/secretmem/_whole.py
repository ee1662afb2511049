"""
Files that appear, or replace an old one, only when all of it is written.

Until then the file has no name (O_TMPFILE, open(2)) where the file system
has such files, so that nothing is left if the process is killed; elsewhere,
and while an old file is replaced, it has a name of its own beside it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# What a file system without files that have no name answers (open(2)).
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR)


def status(path: str) -> os.stat_result | None:
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
def named(path: str) -> Iterator[None]:
    """Let errors name the output as the caller did."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


@contextmanager
def writing(
    path: str,
    mode: int,
    old: os.stat_result | None,
    guard: Callable[[Path], AbstractContextManager[object]] = nullcontext,
) -> Iterator[int]:
    """
    Give a descriptor to write to; the file is there if the block ends well.

    A symbolic link stays one: what it names is written.

    Args:
        path: The file.
        mode: Of a new file; one that is replaced keeps its own.
        old: The `status` of what is there, a regular file.
        guard: Entered, with its path, while there is a part to be removed.

    Raises:
        OSError: It cannot be written; ``filename`` is ``path``.
    """
    whole = _Whole(path, mode, old, guard)
    fd_or_none = _without_name(whole)
    inner = _part(whole) if fd_or_none is None else _unnamed(whole, fd_or_none)
    with inner as fd:
        yield fd


class _Whole:
    """Where the file goes, and how."""

    def __init__(
        self,
        path: str,
        mode: int,
        old: os.stat_result | None,
        guard: Callable[[Path], AbstractContextManager[object]],
    ) -> None:
        self.path = path
        self.final = Path(os.path.realpath(path))
        self.part = self.final.with_name(
            f".{self.final.name}.{secrets.token_hex(4)}.part"
        )
        # Nobody else reads it before it has its owner and its own mode.
        self.mode = mode if old is None else 0o600
        self._old = old
        self._guard = guard

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

    def settle(self) -> None:
        """Let its name reach the disk."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            fd = os.open(self.final.parent, flags)
        except PermissionError:
            # Who may not list a directory cannot synchronize it either.
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    @contextmanager
    def swept(self) -> Iterator[None]:
        """Remove the part if this fails."""
        with self._guard(self.part):
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
        with named(whole.path):
            whole.finish(fd)
            whole.link(fd)
            whole.settle()
    finally:
        os.close(fd)


def _without_name(whole: _Whole) -> int | None:
    """Open a file without a name; None where that cannot be."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a link needs it
        return None
    flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
    try:
        with named(whole.path):
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
        with named(whole.path):
            fd = os.open(whole.part, flags, whole.mode)
        try:
            yield fd
            with named(whole.path):
                whole.finish(fd)
        finally:
            os.close(fd)
        with named(whole.path):
            whole.part.rename(whole.final)
    with named(whole.path):
        whole.settle()
