"""Let an exception fly past the object, and print its traceback."""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any

from secretmem.prove import speaking
from secretmem.prove.attack import Attack, Layer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


def _with_locals(value: object) -> str:
    """Format a traceback with local variables, as error reporters do."""
    try:
        _fail(value)
    except ValueError as error:
        report = traceback.TracebackException.from_exception(
            error, capture_locals=True
        )
        return "".join(report.format())
    return ""


def _fail(password: object) -> None:
    """Fail with the object in a local variable."""
    credentials = {"user": "alice", "password": password}
    raise ValueError(f"login failed for {credentials['user']}")


def _in_message(value: object) -> str:
    """Format an exception that carries the object."""
    return "".join(traceback.format_exception(KeyError(value)))


def _assertion(value: Any) -> str:  # noqa: ANN401 - bytes or a Secret
    """Format a failed comparison, as test runners do."""
    error = AssertionError(f"assert {value!r} is None")
    return "".join(traceback.format_exception(error))


_WAYS = {
    "traceback with locals": _with_locals,
    "exception that carries it": _in_message,
    "failed assertion": _assertion,
}


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Format tracebacks with the object in them."""
    return speaking.speak(_WAYS, place.value())


ATTACK = Attack(
    name="traceback",
    title="tracebacks and error reports",
    layer=Layer.LANGUAGE,
    explanation=(
        "Error reporters such as Sentry send the local variables of every "
        "frame, and test runners print what they compared."
    ),
    run=functools.partial(speaking.run, attack="traceback"),
)
