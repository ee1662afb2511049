"""Print the object in every way that Python has."""

from __future__ import annotations

import functools
import pprint
from typing import TYPE_CHECKING, Any

from secretmem.prove import speaking
from secretmem.prove.attack import Attack, Layer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


_WAYS: speaking.Ways = {
    "repr()": repr,
    "str()": str,
    "format()": "{}".format,
    "f-string": lambda value: f"{value!s:>80}",
    "% formatting": lambda value: "%s %r" % (value, value),  # noqa: UP031 - the old way is attacked too
    "in a list": lambda value: str([value]),
    "pprint": pprint.pformat,
    "as_dict": lambda value: str({"password": value}),
}


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Print the object."""
    return speaking.speak(_WAYS, place.value())


ATTACK = Attack(
    name="repr",
    title="print, repr, format",
    layer=Layer.LANGUAGE,
    explanation=(
        "A key lands in a log because somebody printed it, or an object "
        "that holds it. bytes show their content; a Secret shows its name "
        "and its backend."
    ),
    run=functools.partial(speaking.run, attack="repr"),
)
