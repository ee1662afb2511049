"""What ``seal``, ``open`` and ``keygen`` share: input, errors, progress."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import contextmanager, suppress
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, Self

from secretmem.cli import voice
from secretmem.cli.age_output import STDIO


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem import Secret

P = ParamSpec("P")

# What opening /dev/tty says (tty(4)).
_NO_TERMINAL = (errno.ENXIO, errno.ENOTTY, errno.ENOENT)
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
        from secretmem.age import AgeError, WorkFactorError

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
        except WorkFactorError as error:
            what, _, _ = str(error).partition("; ")
            option = f"--max-work-factor {error.work_factor}"
            voice.complain(what, f"pass {option} if you trust the file")
            return voice.FINDING
        except AgeError as error:
            return _said(error, voice.FINDING)
        except OSError as error:
            voice.refused(error)
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
    try:
        return Secret.prompt(
            "Passphrase: ", confirm=confirm, name="passphrase"
        )
    except OSError as error:
        if error.errno not in _NO_TERMINAL:
            raise
        raise ValueError(
            "there is no terminal to ask for the passphrase; say with "
            "--passphrase-from SOURCE where it is, such as file:PATH or fd:3"
        ) from None


def check_apart(source: int, output: str | None) -> None:
    """
    Refuse to replace the input by the output.

    Raises:
        ValueError: They are the same file.
    """
    if output is None:
        return
    with suppress(FileNotFoundError):
        to, of = os.stat(output), os.fstat(source)  # noqa: PTH116 - as given
        if os.path.samestat(to, of) and stat.S_ISREG(of.st_mode):
            raise ValueError(
                f"{output}: input and output are the same file; name another"
            )


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
