"""
What a random program chooses from.

The range of choices is small on purpose: eight pages, few descriptors, few
processes, so that programs meet their own traces.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.syscalls import (
    ADVICE,
    O_CLOEXEC,
    PAGE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_RW,
)


BASE = 0x1000_0000_0000
PAGES = 8
STRANGER = 54321
"""A user id that no other program of the machine is expected to have."""

USERS = [
    (0, 0),
    (0, STRANGER),
    (STRANGER, STRANGER),
    (STRANGER, STRANGER),
    (STRANGER, STRANGER + 1),
]
MOSTLY = 13
"""Draws below this number are aimed; see `Program.page`."""

MOST_PROCESSES = 4
MOST_EXECS = 1
"""Starting Python is slow; one exec a program is enough to meet the rest."""
FIRST_FD = 4

# Left out: advice whose answer depends on the kernel's configuration
# (MERGEABLE, HUGEPAGE, WILLNEED) or on memory pressure (FREE, COLLAPSE), and
# guard regions, which secret memory refuses while it is locked.
ADVISED = sorted(
    number
    for name, number in ADVICE.items()
    if name
    not in {
        "MERGEABLE",
        "HUGEPAGE",
        "WILLNEED",
        "FREE",
        "COLLAPSE",
        "GUARD_INSTALL",
        "GUARD_REMOVE",
    }
)

WHO = st.integers(0, MOST_PROCESSES - 1)
# Where a rule acts: mostly on a page that is mapped or a descriptor that is
# open (`Program.page`, `Program.fd`), now and then anywhere.
FD = st.integers(0, 15)
SPOT = st.integers(0, 15)
PLACE = st.integers(0, PAGES - 1)
COUNT = st.sampled_from([1, 1, 1, 2, 3, 4])
PROT = st.sampled_from([PROT_RW, PROT_RW, PROT_READ, PROT_NONE])
ODD_PROT = st.sampled_from(
    [PROT_RW, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC]
)
BYTES = st.binary(min_size=1, max_size=8)
INSIDE = st.sampled_from([0, 1, 100, PAGE - 8])
SIZE = st.sampled_from([0, 1, 100, PAGE, PAGE + 1, 3 * PAGE, 8 * PAGE, -1])
FLAGS = st.sampled_from([O_CLOEXEC, 0, O_CLOEXEC, 0, 1, 0x800])
CUT = st.sampled_from([0, 0, 1, PAGE - 100])
"""How many bytes a file is shorter than its mapping."""
