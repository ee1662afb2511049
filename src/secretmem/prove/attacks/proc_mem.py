"""Read the victim's memory through /proc/PID/mem, proc_pid_mem(5)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.reading import open_memory, read_each


if TYPE_CHECKING:
    from secretmem.prove.kinds import Span
    from secretmem.prove.stage import Stage


def run(stage: Stage, kind: str) -> Cell:
    """Read every place with pread(2)."""
    with stage.victim(kind) as victim:
        memory = open_memory(victim.pid, os.O_RDONLY)

        def read(span: Span) -> bytes:
            return os.pread(memory, span.size, span.address)

        try:
            return read_each(victim, "pread of /proc/PID/mem", read)
        finally:
            os.close(memory)


ATTACK = Attack(
    name="proc_mem",
    title="read /proc/PID/mem",
    layer=Layer.KERNEL,
    explanation=(
        "The file /proc/PID/mem shows the memory of a process to whoever "
        "may trace it: root, and every process of the same user unless Yama "
        "or PR_SET_DUMPABLE forbid it. The kernel fetches the pages with "
        "get_user_pages, which refuses secretmem pages."
    ),
    run=run,
)
