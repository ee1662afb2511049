"""What reports show of objects."""

from __future__ import annotations

from functools import wraps


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _T = TypeVar("_T")


def unless_unmade(method: Callable[[_T], str]) -> Callable[[_T], str]:
    """
    Let ``repr`` say so when ``__init__`` raised before it was through.

    A report of that error shows the object among its variables; an error in
    ``repr`` would take the report's place.
    """

    @wraps(method)
    def shown(self: _T) -> str:
        try:
            return method(self)
        except AttributeError:
            return f"<{type(self).__name__} that was not made>"

    return shown


def signal_name(number: int) -> str:
    """Name a signal; most real-time signals have none."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
