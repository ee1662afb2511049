"""What ``seal``, ``open`` and ``keygen`` share: input, errors, progress."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, Self

from secretmem.cli import voice
from secretmem.cli.age_output import STDIO


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem import Secret

P = ParamSpec("P")

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
        except SourceError as error:
            voice.complain(str(error), *filter(None, [error.remedy]))
            return voice.USAGE
        except (InvalidKey, ValueError, EOFError) as error:
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
