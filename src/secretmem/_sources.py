"""Where secrets come from: descriptors, the environment, the terminal."""

from __future__ import annotations

import os


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from os import PathLike
    from typing import Any, Protocol, TypeVar

    from secretmem._secret import Secret

    class HasFileno(Protocol):
        """A file object."""

        def fileno(self) -> int:
            """Return the descriptor."""

    Descriptor = int | HasFileno
    Path = str | bytes | PathLike[str] | PathLike[bytes]
    S = TypeVar("S", bound=Secret)


def descriptor_of(target: Descriptor) -> int:
    """Return the number of a descriptor; TypeError if it is none."""
    fileno = getattr(target, "fileno", None)
    number = target if fileno is None else fileno()
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(
            "a descriptor is an int or an object with fileno(), not "
            f"{type(target).__name__}"
        )
    return number


def default_name(options: dict[str, Any], name: str) -> None:
    """Give the secret a public name unless the caller chose one."""
    if options.get("name") is None:
        options["name"] = name


def name_file(error: OSError, path: Path) -> None:
    """Put the file's name into the error of a system call."""
    # What a signal handler raised is left as it is; it has no number.
    if error.errno is not None and error.filename is None:
        error.filename = os.fsdecode(path)


def erase_variable(
    cls: type[S],
    variable: str,
    *,
    erase: bool,
    **options: Any,  # noqa: ANN401 - name, inherit, isolated, flush
) -> S:
    """Take the variable; see `Secret.from_env`."""
    import warnings

    from secretmem.exceptions import CopiedWarning

    if not variable or "=" in variable or "\0" in variable:
        raise ValueError("that is not the name of a variable")
    # `in` and pop() would decode the value, which makes one more copy.
    copied = any(name == variable for name in os.environ)
    if copied:
        warnings.warn(
            f"os.environ copied the variable {variable} at start-up; that "
            "copy lies in ordinary memory until the interpreter reuses it. "
            "Pass the secret by a file, a descriptor or a credential",
            CopiedWarning,
            stacklevel=3,
        )
    secret = cls._from_env(os.fsencode(variable), erase=erase, **options)
    if secret is None:
        raise KeyError(variable)
    if erase:
        if copied:
            del os.environ[variable]
        os.unsetenv(variable)
    return secret


def read_terminal(cls: type[S], text: str, options: dict[str, Any]) -> S:
    """Ask once; see `Secret.prompt`."""
    with _terminal() as fd:
        with _echo_off(fd):
            os.write(fd, text.encode())
            # What was typed before the prompt was flushed with the echo.
            secret = cls._read(fd, line=True, strip=False, **options)
        if secret is None:
            raise EOFError("the terminal's input ended")
        return secret


def _terminal() -> AbstractContextManager[int]:
    from contextlib import contextmanager

    @contextmanager
    def opened() -> Iterator[int]:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY
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

    return opened()


def _echo_off(fd: int) -> AbstractContextManager[None]:
    from contextlib import contextmanager

    @contextmanager
    def off() -> Iterator[None]:
        import termios

        old = termios.tcgetattr(fd)
        new = old[:]
        lflag = 3
        new[lflag] = (new[lflag] & ~termios.ECHO) | termios.ICANON
        try:
            termios.tcsetattr(fd, termios.TCSAFLUSH, new)
            yield
        finally:
            # The newline that was typed was not echoed.
            termios.tcsetattr(fd, termios.TCSAFLUSH, old)
            os.write(fd, b"\n")

    return off()
