"""
Physical memory: pages with content, and an allocator with habits.

The allocator has the two habits of the kernel's buddy allocator that matter
here. It hands out the smallest free pieces first, so the first pages of a
long-running machine come from many places; and it reuses the page freed
last. Content stays in a freed page until the page is handed out again and
zeroed then: only secretmem wipes on free.
"""

from __future__ import annotations

import random

from secretmem.model.abi import PAGE_SIZE, PAGES_PER_2M


LARGEST_FRAGMENT = 16
"""Pages of the largest scattered free piece."""


class FreePages:
    """
    Free memory, in pieces; the kernel and programs hold the rest.

    Args:
        pieces: (first page, pages) of each free piece, in the order in which
            they are used up; the last one is the large one.
        top: page where memory ends.

    """

    def __init__(self, pieces: list[tuple[int, int]], top: int) -> None:
        """Start with these pieces."""
        self._pieces = list(reversed(pieces))
        self._recent: list[int] = []
        self._blocks: list[int] = []
        self._top = top

    def take(self) -> int:
        """
        Hand out one page: the one freed last, else of the smallest piece.

        Raises:
            MemoryError: no page is left.

        """
        if self._recent:
            return self._recent.pop()
        start, length = self._pieces[-1]
        if start >= self._top or (length == 1 and len(self._pieces) == 1):
            raise MemoryError
        if length > 1:
            self._pieces[-1] = (start + 1, length - 1)
        else:
            self._pieces.pop()
        return start

    def begin_with(self, pages: range) -> None:
        """Hand out these pages before all others."""
        self._recent.extend(reversed(pages))

    def give(self, page: int) -> None:
        """Take a page back."""
        self._recent.append(page)

    def take_2m(self) -> int:
        """
        Set aside 2 MiB at the end of memory; the result is the first page.

        Raises:
            MemoryError: no 2 MiB piece is left.

        """
        if self._blocks:
            return self._blocks.pop()
        start = (self._top - PAGES_PER_2M) // PAGES_PER_2M * PAGES_PER_2M
        if start <= self._pieces[0][0]:
            raise MemoryError
        self._top = start
        return start

    def give_2m(self, start: int) -> None:
        """Take a 2 MiB piece back for the next who asks."""
        self._blocks.append(start)


class Ram:
    """
    A machine's pages with their content and users.

    Args:
        free: where new pages come from.

    """

    def __init__(self, free: FreePages) -> None:
        """Start with every page untouched."""
        self.free = free
        self._content: dict[int, bytearray] = {}
        self._uses: dict[int, int] = {}

    def take(self) -> int:
        """
        Hand out one zeroed page; the result is its number.

        Raises:
            MemoryError: no page is left.

        """
        page = self.free.take()
        self.adopt(page)
        return page

    def adopt(self, page: int) -> None:
        """Begin to use `page`, zeroed."""
        self._content[page] = bytearray(PAGE_SIZE)
        self._uses[page] = 1

    def retire(self, page: int) -> None:
        """End the use of a page that the allocator does not get back."""
        del self._uses[page]

    def share(self, page: int) -> None:
        """Count one more user of `page` (copy-on-write after fork)."""
        self._uses[page] += 1

    def users(self, page: int) -> int:
        """Give the number of users of `page`."""
        return self._uses[page]

    def drop(self, page: int) -> bool:
        """Count one user less; tell whether the page is free now."""
        self._uses[page] -= 1
        if self._uses[page]:
            return False
        del self._uses[page]
        self.free.give(page)
        return True

    def wipe(self, page: int) -> None:
        """Zero the content of `page`."""
        self._content[page][:] = bytes(PAGE_SIZE)

    def content(self, page: int) -> bytearray:
        """Give the content of `page`, 4,096 bytes, to read or to change."""
        if page not in self._content:
            self._content[page] = bytearray(PAGE_SIZE)
        return self._content[page]

    def touched(self) -> list[int]:
        """Give the pages that ever held something, lowest first."""
        return sorted(self._content)

    def in_use(self, page: int) -> bool:
        """Tell whether somebody uses `page` now."""
        return page in self._uses


def scattered(pages: int, fragments: int, seed: int) -> FreePages:
    """
    Lay out the free memory of a machine of `pages` pages.

    The upper half is free. In the lower half `fragments` pieces of 1 to 16
    pages are, at places that `seed` chooses; 0 is a freshly started machine.
    """
    # The seed makes a plan repeatable; nothing secret depends on it.
    chance = random.Random(seed)  # noqa: S311
    lower = pages // 2
    places = {
        chance.randrange(lower // LARGEST_FRAGMENT) * LARGEST_FRAGMENT
        for _ in range(fragments)
    }
    pieces = [
        (start, chance.randint(1, LARGEST_FRAGMENT))
        for start in sorted(places)
    ]
    chance.shuffle(pieces)
    pieces.sort(key=lambda piece: piece[1])
    return FreePages([*pieces, (lower, pages - lower)], pages)
