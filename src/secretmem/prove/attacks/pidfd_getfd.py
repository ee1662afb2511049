"""Copy descriptors out of the victim with pidfd_getfd(2)."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from secretmem.prove import linux, sharing
from secretmem.prove.attack import Attack, Cell, Layer


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


inside = sharing.share


def run(stage: Stage, kind: str) -> Cell:
    """
    Steal every descriptor.

    Ordinary memory is a memfd whose descriptor is open; a Secret is taken as
    the package makes it.
    """
    with stage.victim(kind) as victim:
        if victim.is_secret:
            return steal(victim)
        shared = sharing.fill(victim, "pidfd_getfd", keep=True)
        return steal(victim) if shared["file"] else sharing.no_file(kind)


def steal(victim: VictimHandle) -> Cell:
    """Copy every descriptor of the victim and map it."""
    pidfd = os.pidfd_open(victim.pid)
    try:
        take = functools.partial(linux.take_descriptor, pidfd)
        return sharing.steal(victim, "pidfd_getfd of each descriptor", take)
    finally:
        os.close(pidfd)


ATTACK = Attack(
    name="pidfd_getfd",
    title="pidfd_getfd: steal descriptors",
    layer=Layer.DESCRIPTOR,
    explanation=(
        "pidfd_getfd copies an open descriptor out of another process, and "
        "whoever has a secretmem descriptor can map the memory. A Secret "
        "closes its descriptor right after mapping: there is none to steal."
    ),
    run=run,
    locked=False,
)
