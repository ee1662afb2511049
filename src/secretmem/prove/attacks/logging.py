"""Log the object."""

from __future__ import annotations

import functools
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

from secretmem.prove import speaking
from secretmem.prove.attack import Attack, Layer


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.prove.kinds import Place


def _logged(say: Callable[[logging.Logger, object], None]) -> Any:  # noqa: ANN401 - a way of speaking
    """Return a way that logs a value with ``say`` and returns the log."""

    def way(value: object) -> str:
        stream = io.StringIO()
        logger = logging.Logger("prove")  # noqa: LOG001 - not for the registry
        logger.addHandler(logging.StreamHandler(stream))
        say(logger, value)
        return stream.getvalue()

    return way


def _warned(value: object) -> str:
    """Return the text of a warning about the value."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"weak password: {value}", stacklevel=1)
    return str(caught[0].message)


_WAYS = {
    "%s": _logged(lambda logger, value: logger.info("got %s", value)),
    "%r": _logged(lambda logger, value: logger.info("got %r", value)),
    "as the message": _logged(lambda logger, value: logger.info(value)),
    "dictionary": _logged(
        lambda logger, value: logger.info("%(key)s", {"key": value})
    ),
    "warning": _warned,
}


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Log the object in the usual ways."""
    return speaking.speak(_WAYS, place.value())


ATTACK = Attack(
    name="logging",
    title="logging and warnings",
    layer=Layer.LANGUAGE,
    explanation="Log files outlive the process and are read by many.",
    run=functools.partial(speaking.run, attack="logging"),
)
