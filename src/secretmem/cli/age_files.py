"""What ``seal``, ``open`` and ``keygen`` share: input, output, errors."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, Self

import click

from secretmem.cli import voice


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem import Secret

P = ParamSpec("P")

STDIO = "-"
# Bytes after which progress is shown again.
_STEP = 16 << 20


def reported(command: Callable[P, None]) -> Callable[P, int]:
    """Turn the package's errors into messages and exit codes."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        from secretmem import (
            InvalidKey,
            LimitError,
            SourceError,
            UnavailableError,
        )
        from secretmem.age import AgeError

        try:
            command(*args, **kwargs)
        except (UnavailableError, LimitError) as error:
            hint = getattr(error, "remedy", None)
            voice.complain(
                f"no secret memory here: {error}", *filter(None, [hint])
            )
            return voice.UNAVAILABLE
        except BrokenPipeError:
            raise
        except AgeError as error:
            return _said(error, voice.FINDING)
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            voice.complain(f"{where}{voice.lower_first(str(error.strerror))}")
            return voice.FINDING
        except (InvalidKey, SourceError, ValueError, EOFError) as error:
            return _said(error, voice.USAGE)
        return voice.FINE

    return run


def _said(error: Exception, code: int) -> int:
    """Print an error; what to do about it follows its semicolon."""
    what, _, remedy = str(error).partition("; ")
    voice.complain(what, *filter(None, [remedy]))
    return code


@contextmanager
def source(path: str) -> Iterator[int]:
    """Open the input; ``-`` is standard input."""
    if path == STDIO:
        yield sys.stdin.fileno()
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def target(path: str | None, mode: int, refusal: str | None) -> Iterator[int]:
    """
    Open the output; a file gets its name only when all of it is there.

    Args:
        path: None is standard output, which may not be a terminal if
            ``refusal`` says why; ``-`` is standard output whatever it is.
        mode: Of a new file.
        refusal: What to say instead of writing to a terminal.
    """
    if path is None or path == STDIO:
        sys.stdout.flush()
        if path is None and refusal and sys.stdout.isatty():
            raise click.UsageError(refusal)
        yield sys.stdout.fileno()
        return
    if _is_special(path):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
        return
    with _whole_file(path, mode) as fd:
        yield fd


def _is_special(path: str) -> bool:
    """Tell whether the output is there already and no regular file."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - the mode only
    except FileNotFoundError:
        return False


@contextmanager
def _whole_file(path: str, mode: int) -> Iterator[int]:
    final = Path(path)
    part = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        error.filename = path
        raise
    try:
        try:
            yield fd
        finally:
            os.close(fd)
        part.rename(final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def passphrase(source_text: str | None, *, confirm: bool) -> Secret:
    """Ask for a passphrase, or read it from where ``source_text`` says."""
    from secretmem import Secret, sources

    if source_text is not None:
        return sources.read(source_text)
    return Secret.prompt("Passphrase: ", confirm=confirm, name="passphrase")


class Counter:
    """Progress of a long input, on a terminal."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._line = voice.Progress()
        self._next = _STEP

    def __call__(self, done: int) -> None:
        """Say how far it is."""
        if done >= self._next:
            self._line.say(f"{self._verb} {done >> 20} MiB")
            self._next = done + _STEP

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._line.clear()
