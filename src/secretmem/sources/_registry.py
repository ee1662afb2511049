"""Which schemes there are, and what a text names."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from secretmem.sources._base import Source
from secretmem.sources._text import scheme_of, split_scheme, syntax


if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any

    from secretmem import Secret


_ENTRY_POINTS = "secretmem.sources"

_DEEPEST = 8
_depth = ContextVar("depth of sources inside sources", default=0)

OURS: dict[str, type[Source]] = {}
"""The schemes of this package; filled when all of them are imported."""


def parse(text: str) -> Source:
    """
    Return the source that a text names; nothing is read.

    Raises:
        SourceError: It is not written as it should be, there is no such
            scheme, or more than 8 sources stand inside each other.
    """
    scheme, rest = split_scheme(text)
    cls = OURS.get(scheme)
    if cls is None:
        cls = _added(text, scheme)
    depth = _depth.get()
    if depth == _DEEPEST:
        raise syntax(
            text,
            f"more than {_DEEPEST} sources stand inside each other",
            "read it in several steps",
        )
    token = _depth.set(depth + 1)
    try:
        return cls.parse(text, rest)
    finally:
        _depth.reset(token)


def nested(text: str) -> Source | None:
    """Return the source that stands in another one's text; None is a path."""
    return parse(text) if begins_one(text) else None


def begins_one(text: str) -> bool:
    """Tell whether a text begins like a source, and is no path."""
    scheme = scheme_of(text)
    # What is installed is looked through only for what may be a scheme.
    return bool(scheme) and known(scheme)


def read(text: str, **options: Any) -> Secret:  # noqa: ANN401 - as for every constructor
    """
    Read the source that a text names.

    Args:
        text: As for `parse`.
        **options: ``name``, ``inherit``, ``isolated`` and ``flush``, as for
            every constructor of Secret.

    Raises:
        SourceError: It is not written as it should be, or cannot be had.
        UnavailableError, LimitError: As for every Secret.
    """
    return parse(text).read(**options)


def schemes() -> list[str]:
    """List the schemes of this package and of installed ones."""
    return sorted({*OURS, *_entry_points()})


def known(scheme: str) -> bool:
    """Tell whether there is such a scheme, without importing anything."""
    return scheme in OURS or scheme in _entry_points()


def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {each.name: each for each in entry_points(group=_ENTRY_POINTS)}


def _added(text: str, scheme: str) -> type[Source]:
    """Import a scheme of another package; ours cannot be replaced."""
    entry = _entry_points().get(scheme)
    if entry is None:
        ours = ", ".join(OURS)
        raise syntax(
            text, f"there is no scheme {scheme!r}", f"there are: {ours}"
        )
    made = entry.load()
    if not (isinstance(made, type) and issubclass(made, Source)):
        raise syntax(
            text, f"the entry point of {scheme!r} is no subclass of Source"
        )
    return made
