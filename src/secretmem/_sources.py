"""Where secrets come from: descriptors, the environment."""

from __future__ import annotations

import os


TYPE_CHECKING = False
if TYPE_CHECKING:
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
