"""Read the victim's memory with process_vm_readv(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import read_each


if TYPE_CHECKING:
    from secretmem.prove.kinds import Span
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Read every place."""
    with stage.victim(kind) as victim:

        def read(span: Span) -> bytes:
            return linux.read_process(victim.pid, span.address, span.size)

        return read_each(victim, "process_vm_readv", read)


ATTACK = Attack(
    name="process_vm",
    title="process_vm_readv",
    layer=Layer.KERNEL,
    explanation=(
        "One system call copies memory from another process, without "
        "stopping it. It needs the same rights as ptrace and reaches the "
        "pages by get_user_pages."
    ),
    run=run,
)
