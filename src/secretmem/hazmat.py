"""
The fenced doors out: copies of secrets in ordinary memory.

What is exported here cannot be wiped again: CPython copies bytes and str
freely and its allocator reuses memory without clearing it.  Every call is
counted by call site, and ``secretmem.posture().exports`` shows the counts.
"""

from __future__ import annotations

import sys
from threading import Lock


TYPE_CHECKING = False
if TYPE_CHECKING:
    from secretmem._secret import Secret

__all__ = ("counts", "export_bytes", "export_str")

_counts: dict[tuple[str, int], int] = {}
_counting = Lock()


def export_bytes(secret: Secret, /) -> bytes:
    """
    Copy a Secret into a ``bytes`` object.

    Raises:
        TypeError: Not a Secret.
        ClosedError, ForkError, BorrowError: As for every use.
    """
    site = _site(secret)
    _count(site, 1)
    try:
        return secret._export()  # noqa: SLF001 - the door that this module fences
    except BaseException:
        _count(site, -1)
        raise


def export_str(secret: Secret, /, encoding: str = "utf-8") -> str:
    """
    Copy a Secret into a ``str`` object.

    Raises:
        ValueError: The bytes are not text in this encoding.
        TypeError, ClosedError, ForkError, BorrowError: As `export_bytes`.
    """
    site = _site(secret)
    _count(site, 1)
    try:
        with secret.reveal() as view:
            text = _decode(view, encoding)
    except BaseException:
        _count(site, -1)
        raise
    if text is None:
        raise ValueError(f"the secret is not {encoding} text")
    return text


def _decode(view: memoryview, encoding: str) -> str | None:
    """Decode; the error of the codec is dropped, since it holds the bytes."""
    try:
        return str(view, encoding)
    except UnicodeError:
        return None


def _count(site: tuple[str, int], step: int) -> None:
    with _counting:
        _counts[site] = _counts.get(site, 0) + step


def counts() -> dict[str, int]:
    """Return how often each call site exported: ``{"FILE:LINE": n}``."""
    with _counting:
        sites = list(_counts.items())
    return {f"{file}:{line}": n for (file, line), n in sites if n}


def _site(secret: Secret) -> tuple[str, int]:
    """Check the argument; return file and line of who calls the door."""
    from secretmem._secret import Secret

    if not isinstance(secret, Secret):
        raise TypeError(f"a Secret is exported, not {type(secret).__name__}")
    caller = sys._getframe(1).f_back  # noqa: SLF001 - as logging does
    # Fernet, KeyRing and the adapters export for who calls them.
    while caller and _is_ours(caller.f_globals.get("__name__")):
        caller = caller.f_back
    if caller is None:
        # A thread that begins here, or a program in C.
        return ("<no Python code>", 0)
    return (caller.f_code.co_filename, caller.f_lineno)


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.startswith("secretmem.")
