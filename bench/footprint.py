"""Locked and resident bytes, and how many secrets fit under a limit."""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING, NamedTuple

from bench.workers import SODIUM, run


if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.workers import Configuration

KIB = 1024
# Usual limits: systemd's default, and that of many containers.
LIMITS = (8192 * KIB, 64 * KIB)
PAGE = 4096
# The kernel's overflow id, which owns nothing: what root becomes.
NOBODY = 65534
MANY, FEW = 10_000, 1_000


class Footprint(NamedTuple):
    """Bytes at the first secret, and of each of ``further`` more."""

    key: str
    first_locked: int
    first_resident: int
    further: int
    locked_each: float
    resident_each: float


class Live(NamedTuple):
    """
    Secrets under a limit of ``limit`` bytes.

    ``made`` is how many the allocator gave out, ``live`` how many of them
    are locked.
    """

    key: str
    limit: int
    live: int
    made: int
    locked: int


def footprints(found: Sequence[Configuration]) -> list[Footprint]:
    """Measure each configuration in a process of its own."""
    return [_footprint(each) for each in found if _usable(each)]


def _usable(configuration: Configuration) -> bool:
    return not configuration.why_not and not configuration.environment


def _footprint(configuration: Configuration) -> Footprint:
    # Each of libsodium's costs two resident pages.
    count = FEW if configuration.key == SODIUM else MANY
    got = json.loads(run(configuration.command, "memory", str(count)))
    return Footprint(
        configuration.key,
        got["first_locked"],
        got["first_resident"],
        count,
        got["locked"] / count,
        got["resident"] / count,
    )


def fits(limit: int) -> bool:
    """Tell whether this process can have a limit of ``limit`` bytes."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    return hard == resource.RLIM_INFINITY or hard >= limit


def unprivileged() -> str:
    """Name the user under which secrets are counted."""
    uid = os.geteuid()
    return f"uid {uid or NOBODY}"


def lives(found: Sequence[Configuration]) -> list[Live]:
    """Fill each limit that can be had, as an unprivileged user."""
    return [
        _live(each, limit)
        for limit in LIMITS
        if fits(limit)
        for each in found
        if _usable(each) and each.key != "bytearray"
    ]


def _live(configuration: Configuration, limit: int) -> Live:
    answer = run(configuration.command, "live", str(limit), str(NOBODY))
    got = json.loads(answer)
    made, live = got["live"], got["live"]
    if configuration.key == SODIUM:
        # It goes on without a lock, silently; a locked one is one page.
        live = min(live, got["locked"] // PAGE)
    return Live(configuration.key, limit, live, made, got["locked"])
