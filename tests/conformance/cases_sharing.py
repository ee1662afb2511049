"""Cases C29 to C31, C33, C35: other processes, keys, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import new_area, told
from conformance.syscalls import ADVICE, MAP_SHARED, PAGE, PROT_READ


if TYPE_CHECKING:
    from conformance.stage import Part, Seen, Stage


def c29_fork(stage: Stage) -> Seen:
    """A child shares the pages; MADV_DONTFORK keeps it out."""
    _, shared = new_area(stage.process)
    _, kept = new_area(stage.process)
    stage.process.madvise(kept, PAGE, ADVICE["DONTFORK"])

    def write(child: Stage) -> Seen:
        child.process.store(shared, b"child")
        return sorted(child.process.vm_flags(shared))

    flags = stage.child(write)
    return {
        "flags in the child": flags,
        "parent sees": stage.process.load(shared, 5),
        "DONTFORK": stage.child(lambda inner: inner.process.load(kept, 1)),
    }


def c30_exec(stage: Stage) -> Seen:
    """Over exec the mapping goes, and a descriptor with O_CLOEXEC."""
    closing, _ = new_area(stage.process)
    staying, address = new_area(stage.process)
    stage.process.store(address, b"over exec")
    stage.process.setfd(staying, 0)
    return stage.after_exec({"O_CLOEXEC": closing, "without": staying})


def c31_descriptor_theft(stage: Stage) -> Seen:
    """pidfd_getfd reaches the secret until the descriptor is closed."""
    size = 8 * PAGE

    def victim(inner: Stage) -> Seen:
        # Lower numbers for whatever is opened after the close below.
        holes = [inner.process.memfd_secret(0) for _ in range(4)]
        fd, address = new_area(inner.process)
        for hole in holes:
            inner.process.close(hole)
        inner.process.store(address, b"loot")
        pid = inner.pid

        def steal(thief: Stage) -> Seen:
            stolen = thief.process.pidfd_getfd(pid, fd)
            at = thief.process.mmap(PAGE, PROT_READ, MAP_SHARED, stolen)
            return thief.process.load(at, 4)

        seen = {"dumpable": inner.child(careful(steal))}
        inner.process.set_dumpable(dumpable=False)
        seen["not dumpable"] = inner.child(dumpable(careful(steal)))
        inner.process.set_dumpable(dumpable=True)
        inner.process.close(fd)
        seen["closed"] = inner.child(careful(steal))
        return seen

    return stage.user(size, victim)


def careful(part: Part) -> Part:
    """Make a part that gives the errno's name instead of failing."""

    def inner(stage: Stage) -> Seen:
        return told(part, stage)

    return inner


def dumpable(part: Part) -> Part:
    """Make a part whose own process is dumpable again."""

    def inner(stage: Stage) -> Seen:
        stage.process.set_dumpable(dumpable=True)
        return part(stage)

    return inner


def c33_protection_key(stage: Stage) -> Seen:
    """A key without access stops loads, and the kernel's copies."""
    _, pipe = stage.process.pipe()

    def load(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        inner.process.lock_by_key(address, PAGE)
        return inner.process.load(address, 1)

    def copy(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        inner.process.store(address, b"x")
        inner.process.lock_by_key(address, PAGE)
        return inner.process.write(pipe, address, 1)

    return {
        "load": stage.child(careful(load)),
        "write": stage.child(careful(copy)),
    }


def c35_two_threads(stage: Stage) -> Seen:
    """
    Two threads touch the same new pages first.

    The race of CVE-2025-40272; on a kernel without the fix this panics.
    """
    rounds, pages = 50, 8
    for _ in range(rounds):
        fd, address = new_area(stage.process, pages)
        stage.process.race(address, pages)
        stage.process.munmap(address, pages * PAGE)
        stage.process.close(fd)
    return {"rounds": rounds}
