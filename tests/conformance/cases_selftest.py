"""
The kernel's own selftest, re-stated: six tests, without capabilities.

Source: tools/testing/selftests/mm/memfd_secret.c, as of March 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import new_area, told, worked
from conformance.syscalls import MAP_SHARED, PAGE, PROT_RW


if TYPE_CHECKING:
    from conformance.stage import Part, Seen, Stage


LIMIT = 16 * PAGE
PATTERN = b"\x55"


def s1_mlock_limit(stage: Stage) -> Seen:
    """Exactly the limit can be mapped; twice as much cannot."""

    def part(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        inner.process.ftruncate(fd, 2 * LIMIT)
        map_it = inner.process.mmap
        exact = map_it(LIMIT, PROT_RW, MAP_SHARED, fd)
        inner.process.munmap(exact, LIMIT)
        double = worked(map_it, 2 * LIMIT, PROT_RW, MAP_SHARED, fd)
        return {"exactly": "ok", "twice": double}

    return stage.user(LIMIT, part)


def s2_file_io(stage: Stage) -> Seen:
    """read, write, pread and pwrite all fail."""

    def part(inner: Stage) -> Seen:
        fd, address = new_area(inner.process)
        process = inner.process
        calls = (process.read, process.write, process.pread, process.pwrite)
        return {
            "blocked": all(
                worked(each, fd, address, 64) != "ok" for each in calls
            )
        }

    return stage.user(LIMIT, part)


def s3_vmsplice_fresh_page(stage: Stage) -> Seen:
    """A page right after its first touch is refused."""
    return stage.user(LIMIT, _vmsplice(others=0))


def s4_vmsplice_existing_page(stage: Stage) -> Seen:
    """A page that has reached the kernel's lists is refused."""
    # The lists are filled in batches of 31 pages at most.
    return stage.user(64 * PAGE, _vmsplice(others=32))


def _vmsplice(others: int) -> Part:
    def part(inner: Stage) -> Seen:
        process = inner.process
        _, pipe = process.pipe()
        fd, address = new_area(process)
        process.store(address, PATTERN * 64)
        if others:
            _, more = new_area(process, others)
            for page in range(others):
                process.store(more + page * PAGE, PATTERN)
        return {
            "vmsplice": told(process.vmsplice, pipe, address, 64),
            "fd": fd > 0,
        }

    return part


def s5_process_vm_read(stage: Stage) -> Seen:
    """A child may not read its parent's area."""

    def part(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        inner.process.store(address, PATTERN * 8)
        pid = inner.pid
        return inner.child(
            lambda child: told(child.process.process_vm_readv, pid, address, 8)
        )

    return stage.user(LIMIT, part)


def s6_ptrace(stage: Stage) -> Seen:
    """A child that attaches to its parent may not read its area."""

    def part(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        inner.process.store(address, PATTERN * 8)
        pid = inner.pid
        return inner.child(
            lambda child: told(child.process.ptrace_peek, pid, address)
        )

    return stage.user(LIMIT, part)
