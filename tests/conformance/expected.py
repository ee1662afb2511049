"""
What each case must see, by the profile of the kernel.

"any" holds everywhere; another key is the trait of a profile, or, beginning
with "no-", something that the kernel or the user lacks. A kernel without it
is not at fault, but the run says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from conformance import (
    cases_files,
    cases_memory,
)
from conformance.syscalls import O_CLOEXEC


if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.stage import Seen, Stage


class Case(NamedTuple):
    """
    A case.

    Attributes:
        play: the function that plays it.
        expected: what it sees, by profile.
        model: whether the model can play it.

    """

    play: Callable[[Stage], Seen]
    expected: dict[str, Seen]
    model: bool = True

    @property
    def name(self) -> str:
        """The case's number and a word."""
        return self.play.__name__

    def verdict(self, seen: Seen) -> list[str]:
        """Name the profiles that expect what was seen."""
        return [n for n, want in self.expected.items() if want == seen]


def anywhere(play: Callable[[Stage], Seen], seen: Seen) -> Case:
    """Make a case that every kernel answers alike."""
    return Case(play, {"any": seen})


ADVICE_ANY: Final = {
    "FREE": "EINVAL",
    "COLLAPSE": "EINVAL",
    "WIPEONFORK": "EINVAL",
    "DONTNEED_LOCKED": "ok",
    "DONTFORK": "ok",
    "DOFORK": "ok",
    "DONTDUMP": "ok",
    "DODUMP": "ok",
    "data": b"data",
}

FILES: Final = (
    anywhere(
        cases_files.c01_flags,
        {0: "ok", O_CLOEXEC: "ok", 1: "EINVAL", 2: "EINVAL", 0x800: "EINVAL"},
    ),
    anywhere(
        cases_files.c02_open_flags,
        {"F_GETFL": "0o100002", "F_GETFD": 0, "F_GETFD, O_CLOEXEC": 1},
    ),
    anywhere(
        cases_files.c03_kind,
        {
            "mode": "0o100600",
            "size": 0,
            "links": 1,
            "f_type": "0x5345434d",
            "link": "/secretmem (deleted)",
        },
    ),
    anywhere(cases_files.c04_descriptor_limit, {"memfd_secret": "EMFILE"}),
    anywhere(
        cases_files.c05_read_and_write, {"read": "EINVAL", "write": "EINVAL"}
    ),
    anywhere(
        cases_files.c06_positions,
        {"pread": "ESPIPE", "pwrite": "ESPIPE", "lseek": "ESPIPE"},
    ),
    anywhere(cases_files.c07_fallocate, {"fallocate": "EOPNOTSUPP"}),
    anywhere(
        cases_files.c08_size_once,
        {
            "negative": "EINVAL",
            "zero": "ok",
            "first": "ok",
            "same": "EINVAL",
            "grow": "EINVAL",
            "shrink": "EINVAL",
            "to zero": "EINVAL",
        },
    ),
    anywhere(
        cases_files.c09_no_copy_out,
        {
            "splice out": "EINVAL",
            "splice in": "EINVAL",
            "sendfile": "EINVAL",
            "fsync": "EINVAL",
        },
    ),
    anywhere(cases_files.c10_no_seals, {"F_ADD_SEALS": "EINVAL"}),
    Case(
        cases_files.c11_not_opened_again,
        {
            "any": {"fd": "ENXIO", "map_files": "ENXIO"},
            "no-root": {"fd": "ENXIO", "map_files": "EPERM"},
        },
    ),
)

MEMORY: Final = (
    anywhere(
        cases_memory.c12_shared_only,
        {
            "MAP_PRIVATE": "EINVAL",
            "MAP_SHARED": "ok",
            "MAP_SHARED_VALIDATE": "ok",
            "MAP_SYNC": "EOPNOTSUPP",
            "MAP_HUGETLB": "EINVAL",
        },
    ),
    anywhere(
        cases_memory.c13_never_executable,
        {"mmap": "EPERM", "mprotect": "EACCES"},
    ),
    anywhere(
        cases_memory.c14_outside_of_the_file,
        {"before size": "SIGBUS", "past end": "SIGBUS"},
    ),
    Case(
        cases_memory.c15_flags,
        {
            "old-accounting": {"VmFlags": ["dd", "lo"]},
            "per-user-accounting": {"VmFlags": ["dd"]},
        },
    ),
    Case(
        cases_memory.c16_memlock,
        {
            "old-accounting": {
                "limit 8 pages": {
                    "over": "EAGAIN",
                    "guards over": "EAGAIN",
                    "again": "EAGAIN",
                    "pages": (8, "all"),
                },
                "limit 0": "EAGAIN",
            },
            "per-user-accounting": {
                "limit 8 pages": {
                    "over": "ok",
                    "guards over": "ok",
                    "again": "ok",
                    "pages": (8, "all"),
                },
                "limit 0": (0, "EFAULT"),
            },
        },
    ),
    anywhere(
        cases_memory.c17_no_populate,
        {
            "MAP_POPULATE": True,
            "POPULATE_READ": "EINVAL",
            "POPULATE_WRITE": "EINVAL",
        },
    ),
    anywhere(
        cases_memory.c18_mlock,
        {"mlock": "ENOMEM", "munlock": "ok", "flags change": False},
    ),
    Case(
        cases_memory.c19_advice,
        {
            "old-accounting": {
                **ADVICE_ANY,
                "DONTNEED": "EINVAL",
                "REMOVE": "EINVAL",
                "COLD": "EINVAL",
                "PAGEOUT": "EINVAL",
                "GUARD_INSTALL": "EINVAL",
            },
            "per-user-accounting": {
                **ADVICE_ANY,
                "DONTNEED": "ok",
                "REMOVE": "EOPNOTSUPP",
                "COLD": "ok",
                "PAGEOUT": "ok",
                "GUARD_INSTALL": "ok",
            },
            "per-user-accounting, no-file-guards": {
                **ADVICE_ANY,
                "DONTNEED": "ok",
                "REMOVE": "EOPNOTSUPP",
                "COLD": "ok",
                "PAGEOUT": "ok",
                "GUARD_INSTALL": "EINVAL",
            },
        },
    ),
    Case(
        cases_memory.c32_mseal,
        {
            "any": {"mseal": "ok", "munmap": "EPERM", "mprotect": "EPERM"},
            "no-mseal": {
                "mseal": "ENOSYS",
                "munmap": "ok",
                "mprotect": "ENOMEM",
            },
        },
    ),
    anywhere(
        cases_memory.c34_zero_and_kept,
        {"zero": True, "after munmap": b"kept"},
    ),
    Case(
        cases_memory.c36_inherited_growth,
        {
            "any": {"mremap": "ok"},
            "mremap-bypass-fixed": {"mremap": "EFAULT"},
        },
    ),
)
