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


_LARGEST_FRAGMENT = 16


class Ram:
    """
    A machine's physical memory; the kernel and programs hold its lower half.

    Args:
        pages: pages of RAM.
        fragments: how many small free pieces (1 to 16 pages each) lie
            scattered over the memory before the first large one; 0 means a
            freshly started machine.
        seed: chooses where they lie.

    """

    def __init__(
        self, pages: int, *, fragments: int = 0, seed: int = 0
    ) -> None:
        """Lay out the free memory."""
        self.pages = pages
        self._content: dict[int, bytearray] = {}
        self._uses: dict[int, int] = {}
        self._recent: list[int] = []
        self._blocks: list[int] = []
        self._pieces = _pieces(pages, fragments, seed)
        self._top = pages

    def take(self) -> int:
        """
        Hand out one zeroed page; the result is its number.

        Raises:
            MemoryError: no page is left.

        """
        page = self._recent.pop() if self._recent else self._next()
        self._content[page] = bytearray(PAGE_SIZE)
        self._uses[page] = 1
        return page

    def reserve_2m(self) -> int:
        """
        Set aside 2 MiB at the end of memory; the result is the first page.

        Raises:
            MemoryError: no 2 MiB piece is left.

        """
        if self._blocks:
            return self._blocks.pop()
        start = (self._top - PAGES_PER_2M) // PAGES_PER_2M * PAGES_PER_2M
        if start <= self._pieces[-1][0]:
            raise MemoryError
        self._top = start
        return start

    def release_2m(self, start: int) -> None:
        """Make a piece that `reserve_2m` gave free for the next one."""
        self._blocks.append(start)

    def adopt(self, page: int) -> None:
        """Begin to use `page` of a reserved piece, zeroed."""
        self._content[page] = bytearray(PAGE_SIZE)
        self._uses[page] = 1

    def retire(self, page: int) -> None:
        """End the use of a page of a reserved piece."""
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
        self._recent.append(page)
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

    def _next(self) -> int:
        start, length = self._pieces[0]
        if start >= self._top:
            raise MemoryError
        if length > 1:
            self._pieces[0] = (start + 1, length - 1)
        elif len(self._pieces) > 1:
            del self._pieces[0]
        else:
            raise MemoryError
        return start


def _pieces(pages: int, fragments: int, seed: int) -> list[tuple[int, int]]:
    """List the free pieces (start, pages), smallest first."""
    # The seed makes a plan repeatable; nothing secret depends on it.
    chance = random.Random(seed)  # noqa: S311
    lower = pages // 2
    starts = {
        chance.randrange(lower // _LARGEST_FRAGMENT) * _LARGEST_FRAGMENT
        for _ in range(fragments)
    }
    small = [
        (start, chance.randint(1, _LARGEST_FRAGMENT))
        for start in sorted(starts)
    ]
    chance.shuffle(small)
    small.sort(key=lambda piece: piece[1])
    return [*small, (lower, pages - lower)]
