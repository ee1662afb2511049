"""Serialize and copy the object."""

from __future__ import annotations

import copy
import functools
import json
import marshal
import pickle
from typing import TYPE_CHECKING, Any

from secretmem.prove import speaking
from secretmem.prove.attack import Attack, Layer


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place


_WAYS: speaking.Ways = {
    "pickle.dumps": pickle.dumps,
    "pickle.dumps protocol 0": functools.partial(pickle.dumps, protocol=0),
    "marshal.dumps": marshal.dumps,
    "json.dumps(default=str)": functools.partial(json.dumps, default=str),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "bytes()": bytes,
    "iteration": lambda value: "".join(map(chr, value)),
}


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """Serialize the object."""
    return speaking.speak(_WAYS, place.value())


ATTACK = Attack(
    name="pickle",
    title="pickle, json, copy",
    layer=Layer.LANGUAGE,
    explanation=(
        "Objects are pickled for caches, queues and worker processes, and "
        "copied by libraries that mean well. A Secret refuses each of these "
        "and names the call to use instead."
    ),
    run=functools.partial(speaking.run, attack="pickle"),
)
