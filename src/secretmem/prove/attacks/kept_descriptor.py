"""Steal the descriptor of a SecretArea that keeps it: this works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove import sharing
from secretmem.prove.attack import Attack, Cell, Layer, Promise
from secretmem.prove.attacks import pidfd_getfd


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage


inside = sharing.share


def run(stage: Stage, kind: str) -> Cell:
    """Steal from a victim that kept the descriptor open."""
    with stage.victim(kind) as victim:
        if not sharing.fill(victim, "kept_descriptor", keep=True)["file"]:
            return sharing.no_file(kind)
        return pidfd_getfd.steal(victim)


ATTACK = Attack(
    name="kept_descriptor",
    title="pidfd_getfd of a kept descriptor",
    layer=Layer.LIMIT,
    explanation=(
        "A SecretArea made with keep_fd=True leaves its descriptor open, for "
        "programs that pass it on. Whoever may trace the process can copy "
        "the descriptor and map the memory. PR_SET_DUMPABLE=0 (harden()) "
        "stops the same user, not root."
    ),
    run=run,
    promise=Promise.READABLE,
    locked=False,
)
