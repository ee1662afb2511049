"""Cases C12 to C19, C32, C34, C36: mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import new_area, ordinary, told, worked
from conformance.syscalls import (
    ADVICE,
    MAP_HUGETLB,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_SYNC,
    PAGE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_RW,
)


if TYPE_CHECKING:
    from conformance.stage import Seen, Stage


LIMIT = 8 * PAGE


def c12_shared_only(stage: Stage) -> Seen:
    """Private, huge and synchronous mappings are refused."""
    fd = stage.process.memfd_secret(0)
    return {
        name: worked(stage.process.mmap, PAGE, PROT_RW, flags, fd)
        for name, flags in (
            ("MAP_PRIVATE", MAP_PRIVATE),
            ("MAP_SHARED", MAP_SHARED),
            ("MAP_SHARED_VALIDATE", MAP_SHARED_VALIDATE),
            ("MAP_SYNC", MAP_SHARED_VALIDATE | MAP_SYNC),
            ("MAP_HUGETLB", MAP_SHARED | MAP_HUGETLB),
        )
    }


def c13_never_executable(stage: Stage) -> Seen:
    """Neither mmap nor mprotect makes it executable."""
    fd, address = new_area(stage.process)
    prot = PROT_READ | PROT_EXEC
    return {
        "mmap": worked(stage.process.mmap, PAGE, prot, MAP_SHARED, fd),
        "mprotect": told(stage.process.mprotect, address, PAGE, prot),
    }


def c14_outside_of_the_file(stage: Stage) -> Seen:
    """Before a size, and past the end, a touch is SIGBUS."""

    def before_size(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        address = inner.process.mmap(PAGE, PROT_RW, MAP_SHARED, fd)
        return inner.process.load(address, 1)

    def past_end(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        inner.process.ftruncate(fd, 100)
        address = inner.process.mmap(2 * PAGE, PROT_RW, MAP_SHARED, fd)
        inner.process.store(address + PAGE - 1, b"x")
        return inner.process.load(address + PAGE, 1)

    return {
        "before size": stage.child(before_size),
        "past end": stage.child(past_end),
    }


def c15_flags(stage: Stage) -> Seen:
    """What smaps shows of the mapping."""
    _, address = new_area(stage.process)
    return {"VmFlags": sorted(stage.process.vm_flags(address))}


def c16_memlock(stage: Stage) -> Seen:
    """Where RLIMIT_MEMLOCK bites, and who is exempt."""

    def over(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        inner.process.ftruncate(fd, LIMIT + PAGE)
        map_it = inner.process.mmap
        seen = {
            "over": worked(map_it, LIMIT + PAGE, PROT_RW, MAP_SHARED, fd),
            "guards over": worked(
                map_it, LIMIT + PAGE, PROT_NONE, MAP_SHARED, fd
            ),
        }
        address = map_it(LIMIT, PROT_RW, MAP_SHARED, fd)
        seen["again"] = worked(map_it, PAGE, PROT_RW, MAP_SHARED, fd)
        seen["pages"] = touched(inner, address, LIMIT // PAGE)
        return seen

    def nothing(inner: Stage) -> Seen:
        fd = inner.process.memfd_secret(0)
        inner.process.ftruncate(fd, PAGE)
        mapped = worked(inner.process.mmap, PAGE, PROT_RW, MAP_SHARED, fd)
        if mapped != "ok":
            return mapped
        address = inner.process.mmap(PAGE, PROT_RW, MAP_SHARED, fd)
        return touched(inner, address, 1)

    return {
        "limit 8 pages": stage.user(LIMIT, over),
        "limit 0": stage.user(0, nothing),
    }


def touched(stage: Stage, address: int, pages: int) -> Seen:
    """Let the kernel touch page after page: how many, and what stopped."""
    for page in range(pages):
        seen = told(stage.process.getrandom, address + page * PAGE, 1)
        if seen != 1:
            return page, seen
    return pages, "all"


def c17_no_populate(stage: Stage) -> Seen:
    """Nothing makes the pages present but touching them."""
    fd, address = new_area(stage.process)
    populated = stage.process.mmap(
        PAGE, PROT_RW, MAP_SHARED | MAP_POPULATE, fd
    )
    return {
        "MAP_POPULATE": populated > 0,
        **{
            name: told(stage.process.madvise, address, PAGE, ADVICE[name])
            for name in ("POPULATE_READ", "POPULATE_WRITE")
        },
    }


def c18_mlock(stage: Stage) -> Seen:
    """Locking fails although the pages stay; unlocking changes nothing."""
    _, address = new_area(stage.process)
    before = stage.process.vm_flags(address)
    return {
        "mlock": told(stage.process.mlock, address, PAGE),
        "munlock": told(stage.process.munlock, address, PAGE),
        "flags change": stage.process.vm_flags(address) != before,
    }


def c19_advice(stage: Stage) -> Seen:
    """Which advice is taken, and the data after all of it."""
    _, address = new_area(stage.process)
    stage.process.store(address, b"data")
    seen = {
        name: told(stage.process.madvise, address, PAGE, ADVICE[name])
        for name in (
            "DONTNEED",
            "FREE",
            "REMOVE",
            "COLD",
            "PAGEOUT",
            "COLLAPSE",
            "WIPEONFORK",
            "DONTNEED_LOCKED",
            "DONTFORK",
            "DOFORK",
            "DONTDUMP",
            "DODUMP",
        )
    }
    seen["data"] = stage.process.load(address, 4)
    guard = ADVICE["GUARD_INSTALL"]
    seen["GUARD_INSTALL"] = told(stage.process.madvise, address, PAGE, guard)
    return seen


def c32_mseal(stage: Stage) -> Seen:
    """A sealed area can be neither unmapped nor protected again."""

    def sealed(inner: Stage) -> Seen:
        _, address = new_area(inner.process)
        return {
            "mseal": told(inner.process.mseal, address, PAGE),
            "munmap": told(inner.process.munmap, address, PAGE),
            "mprotect": told(inner.process.mprotect, address, PAGE, PROT_NONE),
        }

    return stage.child(sealed)


def c34_zero_and_kept(stage: Stage) -> Seen:
    """A new page is zero; data outlives munmap while the file is open."""
    fd, address = new_area(stage.process)
    fresh = stage.process.load(address, PAGE) == bytes(PAGE)
    stage.process.store(address, b"kept")
    stage.process.munmap(address, PAGE)
    again = stage.process.mmap(PAGE, PROT_READ, MAP_SHARED, fd)
    return {"zero": fresh, "after munmap": stage.process.load(again, 4)}


def c36_inherited_growth(stage: Stage) -> Seen:
    """Whether a child may grow the mapping that nobody pays for."""

    def parent(inner: Stage) -> Seen:
        process = inner.process
        fd = process.memfd_secret(0)
        process.ftruncate(fd, 4 * LIMIT)
        # Room behind the area, so that it can grow in place.
        room = ordinary(process, 4 * LIMIT // PAGE)
        process.munmap(room, 4 * LIMIT)
        address = process.mmap(PAGE, PROT_RW, MAP_SHARED | 0x10, fd, 0, room)

        def child(grown: Stage) -> Seen:
            return worked(grown.process.mremap, address, PAGE, 4 * LIMIT, 0)

        return inner.child(child)

    return {"mremap": stage.user(LIMIT, parent)}
