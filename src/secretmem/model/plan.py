"""
What holding N secrets does to a machine.

Three ways to hold them are compared: a file for each secret, the arena that
this package uses, and a range reserved at boot (as v2 to v4 of the patches
had it; no released kernel has). What counts is how many pages are taken,
from how many places, since each new place splits an entry of the direct map
for good.

    python -m secretmem.model plan --secrets 10000 --size 32 --memory 64G
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from secretmem.model import cost
from secretmem.model.abi import (
    PAGE_SIZE,
    PAGES_PER_1G,
    PAGES_PER_2M,
    pages_in,
)
from secretmem.model.directmap import DirectMap
from secretmem.model.ram import scattered


if TYPE_CHECKING:
    from collections.abc import Iterable


CLASSES: Final = (
    *(32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048),
)
"""Slot sizes of the package's arena, in bytes."""
CANARY: Final = 8
"""Bytes behind each payload that the arena checks."""
FIRST_AREA: Final = 4
LARGEST_AREA: Final = 256
"""Pages of the arena's first and largest area; each is twice the last."""

FRAGMENTS: Final = 100
"""
Scattered free pieces of a machine in use, unless told otherwise.

On one such machine the first 16 pages came from 14 places, the next 512 from
69, and the next 2,048 from 17: about a hundred small pieces came first.
"""

FILE_EACH: Final = "a file for each secret"
ARENA: Final = "the arena"
RESERVED: Final = "a range reserved at boot"


@dataclass(frozen=True)
class Question:
    """
    What to plan.

    Attributes:
        secrets: how many.
        size: bytes of each.
        memory: bytes of RAM.
        cpus: processors.
        fragments: scattered free pieces of memory.
        seed: chooses where they lie.

    """

    secrets: int
    size: int
    memory: int
    cpus: int = 2
    fragments: int = FRAGMENTS
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """
    What one way of holding them does.

    Attributes:
        way: its name.
        files: secretmem files, and mappings.
        locked: bytes of locked memory, all of it counted in RLIMIT_MEMLOCK.
        splits: 2 MiB entries split: least, expected, most.
        splits_1g: 1 GiB entries split, expected.
        flushes: TLB flushes; each interrupts the other processors.
        interrupts: flushes times the other processors.
        warm_up: nanoseconds to get all pages once.
        share_4k: part of RAM then mapped by 4 KiB entries.
        slowdown: expected change of a kernel build's time, least and most.

    """

    way: str
    files: int
    locked: int
    splits: tuple[int, int, int]
    splits_1g: int
    flushes: int
    interrupts: int
    warm_up: float
    share_4k: float
    slowdown: tuple[float, float]


def plan(question: Question) -> list[Answer]:
    """Give the answer for each way."""
    each = _by_page(FILE_EACH, question, _pages_each(question))
    arena = _by_page(ARENA, question, arena_pages(question))
    return [each, arena, _reserved(question, arena)]


def files_of(way: str, question: Question) -> int:
    """Give how many secretmem files a way opens."""
    if way == FILE_EACH:
        return question.secrets
    return len(_areas(_needed_pages(question))) if way == ARENA else 1


def arena_pages(question: Question) -> int:
    """Give the pages that the arena maps and touches."""
    return sum(_areas(_needed_pages(question)))


def splits_at(
    question: Question, counts: Iterable[int]
) -> list[tuple[int, int]]:
    """
    Take pages one by one; the 2 MiB entries split at each count.

    Args:
        question: the machine.
        counts: numbers of pages, rising.

    Returns:
        (count, splits) pairs; the list ends early if memory does.

    """
    pages = question.memory // PAGE_SIZE
    free = scattered(pages, question.fragments, question.seed)
    directmap = DirectMap(pages)
    found = []
    for last, count in pairwise([0, *counts]):
        try:
            for _ in range(count - last):
                directmap.take_out(free.take())
        except MemoryError:
            break
        found.append((count, directmap.splits_2m))
    return found


def expected_splits(
    pages: int, blocks: Iterable[tuple[int, int]], share_large: float
) -> float:
    """
    Expect the splits of a real machine from its free blocks.

    Args:
        pages: pages to take.
        blocks: (pages in a block, number of blocks), as /proc/buddyinfo has
            them; small blocks are used up first.
        share_large: part of memory that large entries still cover.

    Returns:
        Expected number of 2 MiB entries split. It knows neither the lists of
        each processor nor which blocks the kernel keeps for movable pages.

    """
    splits = 0.0
    left = pages
    for size, count in sorted(blocks):
        used = min(count, -(-left // size))
        splits += used * share_large * max(1, size // PAGES_PER_2M)
        left -= used * size
        if left <= 0:
            break
    return min(splits, float(pages))


def _pages_each(question: Question) -> int:
    return question.secrets * pages_in(question.size)


def _needed_pages(question: Question) -> int:
    """Pages of slots; a secret above the largest class has whole pages."""
    size = question.size + CANARY
    for slot in CLASSES:
        if slot >= size:
            return -(-question.secrets // (PAGE_SIZE // slot))
    return question.secrets * pages_in(size)


def _areas(pages: int) -> list[int]:
    """Pages of each area until `pages` fit."""
    areas: list[int] = []
    size = FIRST_AREA
    while sum(areas) < pages:
        areas.append(size)
        size = min(2 * size, LARGEST_AREA)
    return areas


def _by_page(way: str, question: Question, pages: int) -> Answer:
    regions = question.memory // PAGE_SIZE // PAGES_PER_2M
    taken = splits_at(question, [pages])
    expected = taken[0][1] if taken else regions
    low = -(-pages // PAGES_PER_2M)
    high = min(pages, regions)
    gigas = min(expected, question.memory // PAGE_SIZE // PAGES_PER_1G)
    return _answer(
        way, question, pages, (low, max(low, expected), high), gigas, pages
    )


def _reserved(question: Question, arena: Answer) -> Answer:
    """As many pages as the arena, whole 2 MiB at a time, at boot."""
    pages = -(-arena.locked // PAGE_SIZE // PAGES_PER_2M) * PAGES_PER_2M
    gigas = -(-pages // PAGES_PER_1G)
    return _answer(RESERVED, question, pages, (0, 0, 0), gigas, 1)


def _answer(
    way: str,
    question: Question,
    pages: int,
    splits: tuple[int, int, int],
    gigas: int,
    flushes: int,
) -> Answer:
    share = splits[1] * PAGES_PER_2M * PAGE_SIZE / question.memory
    events = {"fault": pages, "flush": flushes}
    return Answer(
        way=way,
        files=files_of(way, question),
        locked=pages * PAGE_SIZE,
        splits=splits,
        splits_1g=gigas,
        flushes=flushes,
        interrupts=flushes * (question.cpus - 1),
        warm_up=cost.price(events),
        share_4k=min(share, 1.0),
        slowdown=cost.expected_slowdown(min(share, 1.0)),
    )
