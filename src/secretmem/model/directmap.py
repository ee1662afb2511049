"""
The kernel's direct map: every page of RAM at a fixed kernel address.

It starts with the largest entries the processor has. Taking one page out
needs a 4 KiB entry for it, so the 1 GiB entry above is split into 512
entries of 2 MiB, and one of those into 512 of 4 KiB. Nothing merges them
again (KERNEL history and measurements: the split counters only grow), which
is why the article feared for the large entries.

Sources: arch/x86/mm/pat/set_memory.c, `set_direct_map_invalid_noflush`;
/proc/meminfo's DirectMap lines.
"""

from __future__ import annotations

from secretmem.model.abi import PAGES_PER_1G, PAGES_PER_2M


_KIB_PER_PAGE = 4


class DirectMap:
    """
    Which pages the kernel can reach, and through entries of what size.

    Args:
        pages: pages of RAM.
        gigabyte_entries: whether the processor has 1 GiB entries; without
            them the map starts with 2 MiB entries.

    Attributes:
        splits_1g: 1 GiB entries split so far.
        splits_2m: 2 MiB entries split so far.
        flushes: kernel TLB flushes so far, one shootdown of all CPUs each.

    """

    def __init__(self, pages: int, *, gigabyte_entries: bool = True) -> None:
        """Map `pages` pages with the largest entries."""
        self.pages = pages
        self.splits_1g = 0
        self.splits_2m = 0
        self.flushes = 0
        self._whole_1g = pages // PAGES_PER_1G if gigabyte_entries else 0
        self._split_1g: set[int] = set()
        self._split_2m: set[int] = set()
        self._absent_2m: set[int] = set()
        self._absent_4k: set[int] = set()

    def take_out(self, page: int) -> None:
        """Remove one page, splitting the entries above it as needed."""
        self._split_to_4k(page)
        self._absent_4k.add(page)

    def put_back(self, page: int) -> None:
        """Map one page again; the split entries stay split."""
        self._absent_4k.discard(page)

    def take_out_2m(self, page: int) -> None:
        """
        Remove the 2 MiB that start at `page` as one entry.

        This is what a pool does: no 2 MiB entry has to be split, at most
        the 1 GiB entry above it.
        """
        self._split_to_2m(page)
        self._absent_2m.add(page // PAGES_PER_2M)

    def put_back_2m(self, page: int) -> None:
        """Map the 2 MiB that start at `page` again."""
        self._absent_2m.discard(page // PAGES_PER_2M)

    def flush(self) -> None:
        """Count one flush of the kernel's TLB entries on every CPU."""
        self.flushes += 1

    def maps(self, page: int) -> bool:
        """Tell whether the kernel reaches `page` through the direct map."""
        if page // PAGES_PER_2M in self._absent_2m:
            return False
        return page not in self._absent_4k

    def counters(self) -> dict[str, int]:
        """Give DirectMap4k, 2M and 1G in KiB, as /proc/meminfo does."""
        gigas = self._whole_1g - len(self._split_1g)
        rest = self.pages - gigas * PAGES_PER_1G
        twos = rest // PAGES_PER_2M - len(self._split_2m)
        fours = rest - twos * PAGES_PER_2M
        return {
            "DirectMap4k": fours * _KIB_PER_PAGE,
            "DirectMap2M": twos * PAGES_PER_2M * _KIB_PER_PAGE,
            "DirectMap1G": gigas * PAGES_PER_1G * _KIB_PER_PAGE,
        }

    def _split_to_2m(self, page: int) -> None:
        region = page // PAGES_PER_1G
        if region < self._whole_1g and region not in self._split_1g:
            self._split_1g.add(region)
            self.splits_1g += 1

    def _split_to_4k(self, page: int) -> None:
        self._split_to_2m(page)
        region = page // PAGES_PER_2M
        whole = (region + 1) * PAGES_PER_2M <= self.pages
        if whole and region not in self._split_2m:
            self._split_2m.add(region)
            self.splits_2m += 1
