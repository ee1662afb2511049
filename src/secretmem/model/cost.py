"""
What things cost, by measurements that were published or made.

Two kinds. `PRICES` are nanoseconds per event of the model, measured on
Linux 6.18 in a virtual machine with 2 processors; use them for ratios. The
rest are published benchmarks of the direct map's entry size, from which the
price of losing large entries is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping


class Price(NamedTuple):
    """Nanoseconds per event, and where the figure is from."""

    nanoseconds: float
    source: str


PRICES: Final = {
    "fault": Price(2_000, "measured: a third of a first touch"),
    "flush": Price(4_000, "measured: two thirds of a first touch"),
    "free": Price(1_250, "measured: wiping and mapping back a page"),
    "split": Price(0, "not measurable alone"),
    "migrate": Price(2_000, "assumed: a page copied, a mapping changed"),
    "cached access": Price(1, "a cache line that is in the cache"),
    "uncached access": Price(130, "measured: a line from memory"),
}
"""Price by the model's event name."""


class Build(NamedTuple):
    """Seconds of one kernel build by size of the direct map's entries."""

    setting: str
    entries_1g: float
    entries_2m: float
    entries_4k: float


BUILDS: Final = (
    Build("ssd, mitigations on", 308.75, 317.37, 314.9),
    Build("ssd, mitigations off", 305.25, 295.32, 304.92),
    Build("ram, mitigations on", 301.58, 322.49, 306.54),
    Build("ram, mitigations off", 299.32, 288.44, 310.65),
)
"""M. Rapoport, 6 July 2020: i7-8650U, 32 GB, `make -j8`."""

BEST_SIZE: Final = {"1G": 45, "2M": 30, "4K": 20}
"""
Percent of 259 tests for which a size was best (the rest undecided).

Z. Xing, Intel, 15 January 2021: 4 servers, 11 benchmarks; "no compelling
evidence" that hardening should avoid small entries.
"""


def price(events: Mapping[str, int]) -> float:
    """Give the nanoseconds that `events` cost; unpriced events count 0."""
    return sum(
        PRICES[name].nanoseconds * count
        for name, count in events.items()
        if name in PRICES
    )


def slowdown_range() -> tuple[float, float]:
    """
    Give the change of the builds' time when all entries are 4 KiB.

    Least and greatest of `BUILDS` against 1 GiB entries, as fractions: 0.02
    is 2 % slower, a negative number is faster.
    """
    changes = [build.entries_4k / build.entries_1g - 1 for build in BUILDS]
    return min(changes), max(changes)


def expected_slowdown(share_4k: float) -> tuple[float, float]:
    """
    Give the expected change of the builds' time for a part of memory.

    Args:
        share_4k: part of memory that 4 KiB entries cover, 0 to 1.

    The published figures know all or nothing; in between the model takes a
    straight line, which is an assumption.
    """
    low, high = slowdown_range()
    return low * share_4k, high * share_4k
