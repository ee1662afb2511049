"""Sample the victim's stack with perf while it lies in secret memory."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.prove import kinds, linux
from secretmem.prove.attack import Attack, Cell, Layer, Promise
from secretmem.prove.reading import seen


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


_STACK = 64 << 10
_WORK = 4 << 20
_SECONDS = 0.05  # of computing: about 100 samples

# struct perf_event_attr up to sample_max_stack (PERF_ATTR_SIZE_VER5):
# include/uapi/linux/perf_event.h.
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
_SOFTWARE, _CPU_CLOCK, _SAMPLE_STACK_USER = 1, 0, 1 << 13
_EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR, _BY_FREQUENCY = 1 << 5, 1 << 6, 1 << 10
_HERTZ = 2000
_SAMPLE_SIZE = 1024
_RING = 65 * mmap.PAGESIZE  # a header and 64 pages of samples


def inside(place: Place, fds: list[int]) -> dict[str, Any]:
    """Run code on a stack in this memory, with the needle on the stack."""
    stack = place.scratch(_STACK)
    size = _STACK - linux.PAGE
    kinds.read_exactly(fds[0], stack.address + size, 32)
    work = linux.map_anonymous(_WORK)
    end = time.process_time() + _SECONDS
    while time.process_time() < end:
        linux.run_on_stack(stack.address, size, work, _WORK)
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Sample the stack 2,000 times a second and search the samples."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as source,
        os.fdopen(writer, "wb", buffering=0) as sink,
        stage.victim(kind) as victim,
    ):
        fd = _open(victim.pid)
        try:
            with mmap.mmap(fd, _RING) as samples:
                sink.write(victim.needle.text)
                victim.call("perf", source.fileno())
                data = samples[mmap.PAGESIZE :]
        finally:
            os.close(fd)
        how = f"perf_event_open of process {victim.pid}, stack samples"
        return seen(kind, victim.needle, data, how)


def _open(pid: int) -> int:
    """Start sampling ``pid``, perf_event_open(2)."""
    attributes = _ATTRIBUTES.pack(
        _SOFTWARE,
        _ATTRIBUTES.size,
        _CPU_CLOCK,
        _HERTZ,
        _SAMPLE_STACK_USER,
        0,
        _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR | _BY_FREQUENCY,
        *(0,) * 6,
        _SAMPLE_SIZE,
        *(0,) * 5,
    )
    return linux.syscall("perf_event_open", attributes, pid, -1, -1, 8)


def requires() -> str | None:
    """Return why perf cannot sample here."""
    try:
        os.close(_open(0))
    except OSError as error:
        level = Path("/proc/sys/kernel/perf_event_paranoid")
        state = level.read_text("utf-8").strip() if level.exists() else "?"
        name = linux.error_name(error.errno)
        return f"perf_event_open: {name} (perf_event_paranoid is {state})"
    return None


ATTACK = Attack(
    name="perf",
    title="perf: stack in secret memory",
    layer=Layer.LIMIT,
    explanation=(
        "perf record --call-graph dwarf copies a piece of the stack with "
        "every sample, in the context of the process. When native code runs "
        "on a stack in secret memory, what lies there is copied. Needs "
        "perf_event_paranoid at 2 or below for the same user; "
        "PR_SET_DUMPABLE=0 (harden()) stops the same user, not root."
    ),
    run=run,
    requires=requires,
    promise=Promise.READABLE,
)
