"""
The strictest look: at every instruction outside the domain.

A signal may come between any two instructions, and the kernel then writes
all registers to a stack in ordinary memory. So while the stack pointer is on
the ordinary stack, no register may hold a piece of a secret, at any time.
This runs an operation one instruction at a time (PTRACE_SINGLESTEP) and
looks at the registers after each. The light gate (``rep movsb``) passes,
since it holds addresses only; a copy through memcpy(3) or a compiled loop
over words does not.

It works on the main thread of a process on x86-64.
"""

from __future__ import annotations

import select
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leak.memory import Memory, mappings
from leak.tracer import Thread, part_at


if TYPE_CHECKING:
    from collections.abc import Sequence

    from leak.driver import Run
    from leak.needle import Needle


_RIP, _RSP = 16, 19

# x87 and MMX registers start there in XSTATE.
_FIRST_REGISTER = 32

# Wiping a stack takes as many steps as it has bytes; the domain may be left
# alone meanwhile.
_REP_STOSB = b"\xf3\xaa"

HALF = 4
"""Bytes of a general register that make a hit."""


@dataclass
class Steps:
    """What was seen."""

    outside: int = 0
    inside: int = 0
    """Instructions on the ordinary stack, and on another one."""
    hits: set[tuple[str, str]] = field(default_factory=set)
    """Registers, and the mapping and place of the instruction."""


class _Watch:
    """The values that must not be in a register."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        shapes = [shape for needle in needles for shape in needle.shapes]
        self.pieces = frozenset().union(*(each.windows for each in shapes))
        self.halves = {
            int.from_bytes(piece[at : at + HALF], order)
            for piece in self.pieces
            for at in range(len(piece) - HALF + 1)
            for order in ("little", "big")
        }
        self.chunks = [chunk for each in shapes for _, chunk in each.chunks]

    def general(self, words: Sequence[int]) -> bool:
        """Tell whether a general register holds half of a piece."""
        low = {word & 0xFFFFFFFF for word in words}
        high = {word >> 32 for word in words}
        return not (
            self.halves.isdisjoint(low) and self.halves.isdisjoint(high)
        )

    def vectors(self, data: bytes) -> str | None:
        """Name the vector registers that hold a piece."""
        if not any(data.find(chunk) >= 0 for chunk in self.chunks):
            return None
        for at in range(_FIRST_REGISTER, len(data) - 8 + 1):
            if data[at : at + 8] in self.pieces:
                return part_at(at)
        return None


def step(run: Run, pid: int, needles: Sequence[Needle]) -> Steps:
    """Step a target from its message "step" to its message "stepped"."""
    steps, watch = Steps(), _Watch(needles)
    stack = next(m for m in mappings(pid) if m.name == "[stack]")
    memory = Memory(pid)
    thread = Thread(pid)
    last, vectors = 0, b""
    run.go()
    try:
        while not _ended(run, steps.inside + steps.outside):
            thread.step()
            words = thread.words()
            before, last = last, words[_RIP]
            if not stack.start <= words[_RSP] < stack.stop:
                steps.inside += 1
                if last == before and memory.read(last, 2) == _REP_STOSB:
                    thread.run_to(last + len(_REP_STOSB))
                continue
            steps.outside += 1
            if watch.general(words[:_RIP]):
                steps.hits.add(("general", _place(pid, last)))
            now = thread.vectors()
            if now != vectors:
                vectors = now
                name = watch.vectors(now)
                if name:
                    steps.hits.add((name, _place(pid, last)))
    finally:
        thread.detach()
        memory.close()
    return steps


def _ended(run: Run, count: int) -> bool:
    """
    Ask now and then whether the target begins to send its message.

    Long before it waits for the answer, which no step would come back from.
    """
    return count % 64 == 0 and bool(select.select([run.asked], [], [], 0)[0])


def _place(pid: int, address: int) -> str:
    for mapping in mappings(pid):
        if mapping.start <= address < mapping.stop:
            start = next(
                m.start for m in mappings(pid) if m.name == mapping.name
            )
            return f"{mapping.name}+{address - start:#x}"
    return f"{address:#x}"
