"""Errors of the compiled part, with their causes and remedies."""

from __future__ import annotations

import errno as _errno

from secretmem._availability import explain
from secretmem._limits import limit_error
from secretmem.exceptions import (
    BorrowError,
    ClosedError,
    ConfigurationError,
    ForkError,
    InvalidKey,
    LimitError,
    UnavailableError,
)


_SIGSYS = 31
# Not RLIMIT_MEMLOCK: their own causes and remedies.
_OTHER_LIMITS = (_errno.EMFILE, _errno.ENFILE)


def unavailable(kind: str, value: int) -> UnavailableError:
    """
    Say why memfd_secret(2) cannot be used.

    ``kind`` is "errno", "signal" (a probing child was killed by it) or
    "page_size" (bytes of a page of this kernel).
    """
    if kind == "errno":
        return explain(value)
    if kind == "signal" and value == _SIGSYS:
        return explain("SIGSYS")
    if kind == "signal":
        return UnavailableError(
            f"the process that tried memfd_secret(2) was ended by signal "
            f"{value}",
            reason="unknown",
            remedy="Run `secretmem doctor` on this machine.",
        )
    return explain("page-size")


def limit(need: int, what: str, errno: int) -> LimitError:
    """Say what hit which limit; ``need`` is bytes."""
    if errno in _OTHER_LIMITS:
        cause = explain(errno)
        return LimitError(str(cause), need=need, have=None)
    article = "an" if what[0] in "aeiou" else "a"
    try:
        return limit_error(need, None, f"{article} {what}")
    except MemoryError:
        # The address space is used up (RLIMIT_AS): no room to look around.
        return LimitError(
            f"{article} {what} needs {need} bytes, and memory is exhausted",
            need=need,
            have=None,
        )


def closed() -> ClosedError:
    """Use after close."""
    return ClosedError("the Secret is closed")


def borrowed() -> BorrowError:
    """Two uses exclude each other."""
    return BorrowError(
        "a writable view excludes every other use of its Secret; leave the "
        "with block of the view first"
    )


def forked() -> ForkError:
    """A private Secret in a forked child."""
    return ForkError(
        "this Secret is private to the process that made it and is not here "
        "in a forked child; make it with inherit=True (or "
        'configure(fork="inherit")), or make it in the child'
    )


def configured() -> ConfigurationError:
    """Too late to choose."""
    return ConfigurationError(
        "secret memory is in use already with other settings; call "
        "secretmem.configure() before the first Secret is made"
    )


def key(text: str) -> InvalidKey:
    """A key, nonce or length that an algorithm does not take."""
    return InvalidKey(text)


def tag() -> Exception:
    """The tag does not fit."""
    from secretmem.crypto.errors import InvalidTag

    return InvalidTag()
