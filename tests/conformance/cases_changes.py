"""
What the fix of CVE-2026-93243 changed: both columns, row by row.

"mm/secretmem: properly account locked pages". Before it, RLIMIT_MEMLOCK is
checked at mmap and per process; after it, at the first touch of a page and
per user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.cases_memory import touched
from conformance.stage import new_area, told, worked
from conformance.syscalls import ADVICE, MAP_SHARED, PAGE, PROT_RW


if TYPE_CHECKING:
    from conformance.stage import Seen, Stage


LIMIT = 8 * PAGE


def l1_where_the_limit_bites(stage: Stage) -> Seen:
    """At mmap, or at the first touch: SIGBUS; a call gets EFAULT."""

    def by_hand(inner: Stage) -> Seen:
        address = _map(inner, 10)
        if address is None:
            return "EAGAIN at mmap"
        for page in range(10):
            inner.process.store(address + page * PAGE, b"x")
        return "no limit"

    def by_call(inner: Stage) -> Seen:
        address = _map(inner, 10)
        if address is None:
            return "EAGAIN at mmap"
        return touched(inner, address, 10)

    return {
        "touch": stage.user(LIMIT, by_hand),
        "getrandom": stage.user(LIMIT, by_call),
    }


def l2_root(stage: Stage) -> Seen:
    """CAP_IPC_LOCK exempts, or it does not."""

    def part(inner: Stage) -> Seen:
        inner.limit_memlock(LIMIT)
        address = _map(inner, 10)
        if address is None:
            return "EAGAIN at mmap"
        return touched(inner, address, 10)

    return stage.child(part)


def l3_counted_per(stage: Stage) -> Seen:
    """While one process holds 6 of 8 pages, what another one gets."""

    def first(inner: Stage) -> Seen:
        _, address = new_area(inner.process, 6)
        held = touched(inner, address, 6)

        def second(other: Stage) -> Seen:
            # A mapping of its own; the inherited one is nobody's.
            more = _map(other, 8)
            assert more is not None
            return touched(other, more, 8)

        return {"first": held, "second": inner.child(second)}

    return stage.user(LIMIT, first)


def l4_given_back(stage: Stage) -> Seen:
    """After release the pages can be had again."""

    def part(inner: Stage) -> Seen:
        fd, address = new_area(inner.process, 8)
        first = touched(inner, address, 8)
        inner.process.munmap(address, LIMIT)
        inner.process.close(fd)
        _, again = new_area(inner.process, 8)
        return {"first": first, "again": touched(inner, again, 8)}

    return stage.user(LIMIT, part)


def l5_shown(stage: Stage) -> Seen:
    """Whether VmLck and the flag `lo` show it."""

    def part(inner: Stage) -> Seen:
        _, address = new_area(inner.process, 4)
        inner.process.store(address, b"x")
        return {
            "VmLck": inner.process.vm_lck() // PAGE,
            "lo": "lo" in inner.process.vm_flags(address),
        }

    return stage.user(LIMIT, part)


def l6_advice(stage: Stage) -> Seen:
    """Whether DONTNEED and PAGEOUT are taken; the data stays."""

    def part(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        inner.process.store(address, b"data")
        seen = {
            name: told(inner.process.madvise, address, PAGE, ADVICE[name])
            for name in ("DONTNEED", "PAGEOUT")
        }
        return {**seen, "data": inner.process.load(address, 4)}

    return stage.user(LIMIT, part)


def l7_limit_zero(stage: Stage) -> Seen:
    """With a limit of 0: refused at mmap, or at the first touch."""

    def part(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        inner.process.ftruncate(fd, PAGE)
        return worked(inner.process.mmap, PAGE, PROT_RW, MAP_SHARED, fd)

    return {"mmap": stage.user(0, part)}


def _map(stage: Stage, pages: int) -> int | None:
    """Map an area; None if the limit is checked now and is too small."""
    fd = stage.process.memfd_secret(0)
    size = pages * PAGE
    stage.process.ftruncate(fd, size)
    seen = told(stage.process.mmap, size, PROT_RW, MAP_SHARED, fd)
    return None if seen == "EAGAIN" else int(seen)
