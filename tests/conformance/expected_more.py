"""What the refusals, the sharing, the selftest and the changes must see."""

from __future__ import annotations

from typing import Final

from conformance import (
    cases_changes,
    cases_refusals,
    cases_selftest,
    cases_sharing,
)
from conformance.expected import FILES, MEMORY, Case, anywhere


EFAULT_EACH: Final = {"readv": "EFAULT", "writev": "EFAULT"}
EIO_EACH: Final = {"mem": "EIO", "mem write": "EIO", "ptrace": "EIO"}

REFUSALS: Final = (
    Case(
        cases_refusals.c20_core_file,
        {
            "any": {"control": True, "secret": False},
            "no-core-file": {"control": False, "secret": False},
        },
    ),
    Case(
        cases_refusals.c21_debuggers,
        {
            "any": {
                "control": {
                    "readv": b"32 bytes",
                    "writev": 1,
                    "mem": b"a2 bytes",
                    "mem write": 1,
                    "ptrace": b"a2 bytes",
                },
                "secret": {**EFAULT_EACH, **EIO_EACH},
            },
        },
    ),
    anywhere(
        cases_refusals.c22_vmsplice,
        {"control": [8, 8], "secret": ["EFAULT", "EFAULT"]},
    ),
    Case(
        cases_refusals.c23_o_direct,
        {
            "any": {"control": 4096, "secret": "EFAULT"},
            "no-disk": "EOPNOTSUPP",
        },
    ),
    anywhere(cases_refusals.c24_zerocopy, {"control": 64, "secret": "EFAULT"}),
    Case(
        cases_refusals.c25_io_uring,
        {
            "any": {
                "registered": {"control": "ok", "secret": "EFAULT"},
                "plain": {"control": 8, "secret": 8},
            },
            **{
                f"no-io_uring ({code})": {
                    "registered": {"control": code, "secret": code},
                    "plain": {"control": code, "secret": code},
                }
                for code in ("ENOSYS", "EPERM")
            },
        },
    ),
    anywhere(
        cases_refusals.c26_futex,
        {
            "shared": {"control": 0, "secret": "EFAULT"},
            "private": {"control": 0, "secret": 0},
        },
    ),
    anywhere(
        cases_refusals.c27_ordinary_calls,
        {"control": (8, 8, 8, 8), "secret": (8, 8, 8, 8)},
    ),
    Case(
        cases_refusals.c28_userfaultfd,
        {
            "any": {"control": "ok", "secret": "EINVAL"},
            **{
                f"no-userfaultfd ({code})": {"control": code, "secret": code}
                for code in ("ENOSYS", "EPERM")
            },
        },
    ),
)

SHARING: Final = (
    Case(
        cases_sharing.c29_fork,
        {
            "any": {
                "flags in the child": ["dd"],
                "parent sees": b"child",
                "DONTFORK": "SIGSEGV",
            },
            "mremap-bypass-fixed": {
                "flags in the child": ["dd", "de"],
                "parent sees": b"child",
                "DONTFORK": "SIGSEGV",
            },
        },
    ),
    anywhere(
        cases_sharing.c30_exec,
        {"O_CLOEXEC": "EBADF", "without": b"over exec"},
    ),
    anywhere(
        cases_sharing.c31_descriptor_theft,
        {"dumpable": b"loot", "not dumpable": "EPERM", "closed": "EBADF"},
    ),
    Case(
        cases_sharing.c33_protection_key,
        {
            "any": {"load": "SIGSEGV", "write": "EFAULT"},
            **{
                f"no-protection-keys ({code})": {"load": code, "write": code}
                for code in ("EINVAL", "ENOSPC", "ENOSYS")
            },
        },
        model=False,
    ),
    Case(cases_sharing.c35_two_threads, {"any": {"rounds": 50}}, model=False),
)

SELFTEST: Final = (
    Case(
        cases_selftest.s1_mlock_limit,
        {
            "old-accounting": {"exactly": "ok", "twice": "EAGAIN"},
            "per-user-accounting": {"exactly": "ok", "twice": "ok"},
        },
    ),
    anywhere(cases_selftest.s2_file_io, {"blocked": True}),
    anywhere(
        cases_selftest.s3_vmsplice_fresh_page,
        {"vmsplice": "EFAULT", "fd": True},
    ),
    anywhere(
        cases_selftest.s4_vmsplice_existing_page,
        {"vmsplice": "EFAULT", "fd": True},
    ),
    anywhere(cases_selftest.s5_process_vm_read, "EFAULT"),
    anywhere(cases_selftest.s6_ptrace, "EIO"),
)

CHANGES: Final = (
    Case(
        cases_changes.l1_where_the_limit_bites,
        {
            "old-accounting": {
                "touch": "EAGAIN at mmap",
                "getrandom": "EAGAIN at mmap",
            },
            "per-user-accounting": {
                "touch": "SIGBUS",
                "getrandom": (8, "EFAULT"),
            },
        },
    ),
    Case(
        cases_changes.l2_root,
        {
            "old-accounting": (10, "all"),
            "per-user-accounting": (8, "EFAULT"),
            "old-accounting, no-root": "EAGAIN at mmap",
        },
    ),
    Case(
        cases_changes.l3_counted_per,
        {
            "old-accounting": {"first": (6, "all"), "second": (8, "all")},
            "per-user-accounting": {
                "first": (6, "all"),
                "second": (2, "EFAULT"),
            },
        },
    ),
    anywhere(
        cases_changes.l4_given_back, {"first": (8, "all"), "again": (8, "all")}
    ),
    Case(
        cases_changes.l5_shown,
        {
            "old-accounting": {"VmLck": 4, "lo": True},
            "per-user-accounting": {"VmLck": 0, "lo": False},
        },
    ),
    Case(
        cases_changes.l6_advice,
        {
            "old-accounting": {
                "DONTNEED": "EINVAL",
                "PAGEOUT": "EINVAL",
                "data": b"data",
            },
            "per-user-accounting": {
                "DONTNEED": "ok",
                "PAGEOUT": "ok",
                "data": b"data",
            },
        },
    ),
    Case(
        cases_changes.l7_limit_zero,
        {
            "old-accounting": {"mmap": "EAGAIN"},
            "per-user-accounting": {"mmap": "ok"},
        },
    ),
)

CASES: Final = tuple(
    sorted(
        (*FILES, *MEMORY, *REFUSALS, *SHARING, *SELFTEST, *CHANGES),
        key=lambda case: case.name,
    )
)
