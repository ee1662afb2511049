"""
Where the pages of secretmem files come from, and back to.

The merged kernel takes page by page (`PageByPage`). The patch set's pools are
here too, because they are the other answers to the same question: how many
large entries of the direct map does the machine lose?
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from secretmem.model.abi import PAGE_SIZE, PAGES_PER_2M


if TYPE_CHECKING:
    from secretmem.model.files import SecretFile
    from secretmem.model.kernel import Kernel


class Source(Protocol):
    """Gives pages to secretmem files and takes them back."""

    def take(self, file: SecretFile) -> int:
        """Give a zeroed page, out of the direct map if `file.hidden`."""

    def give_back(self, file: SecretFile, page: int) -> None:
        """Take a page of `file` back; it is wiped."""

    def close(self, file: SecretFile) -> None:
        """Take back what `file` held beyond its pages."""

    def held(self) -> int:
        """Give the pages that nobody else can use now."""


class PageByPage:
    """Single pages; each may split two entries, each flushes the TLB."""

    def __init__(self, kernel: Kernel) -> None:
        """Use the machine's free memory."""
        self._kernel = kernel
        self._held = 0

    def take(self, file: SecretFile) -> int:
        """Take one page out of the direct map, then flush."""
        kernel = self._kernel
        page = kernel.ram.take()
        self._held += 1
        if file.hidden:
            kernel.directmap.take_out(page)
            kernel.directmap.flush()
        return page

    def give_back(self, file: SecretFile, page: int) -> None:
        """Map the page again, wipe it, then free it: the kernel's order."""
        kernel = self._kernel
        if file.hidden:
            kernel.directmap.put_back(page)
        kernel.ram.wipe(page)
        kernel.ram.drop(page)
        self._held -= 1

    def close(self, file: SecretFile) -> None:
        """Nothing is held beyond the pages."""

    def held(self) -> int:
        """Give the files' pages."""
        return self._held


class Reserved:
    """A range set aside at boot (v2 to v4): no split, no flush later."""

    def __init__(self, kernel: Kernel, size: int) -> None:
        """Take `size` bytes, in 2 MiB entries, out of the direct map."""
        self._kernel = kernel
        self._free: list[int] = []
        self._size = size // PAGE_SIZE
        for _ in range(self._size // PAGES_PER_2M):
            start = kernel.ram.free.take_2m()
            kernel.directmap.take_out_2m(start)
            self._free.extend(range(start, start + PAGES_PER_2M))
        kernel.directmap.flush()

    def take(self, file: SecretFile) -> int:  # noqa: ARG002 Source's shape
        """Give a page of the range; MemoryError when it is used up."""
        if not self._free:
            raise MemoryError
        page = self._free.pop(0)
        self._kernel.ram.adopt(page)
        return page

    def give_back(self, file: SecretFile, page: int) -> None:  # noqa: ARG002
        """Wipe the page and keep it for the next file."""
        self._kernel.ram.wipe(page)
        self._kernel.ram.retire(page)
        self._free.append(page)

    def close(self, file: SecretFile) -> None:
        """Nothing is held beyond the pages."""

    def held(self) -> int:
        """Give the whole range, used or not."""
        return self._size


class Chunks:
    """
    2 MiB at a time per file (v5 to v16), from free memory or a CMA area.

    A file of one page costs 2 MiB. CMA lets ordinary movable pages use the
    area meanwhile; a chunk then has to move up to 512 of them away, which is
    counted as "migrate".
    """

    def __init__(self, kernel: Kernel, *, area: int) -> None:
        """Use free memory, or an area of `area` bytes if that is not 0."""
        self._kernel = kernel
        self._area: list[int] | None = None
        self._spare: dict[SecretFile, list[int]] = {}
        self._chunks: dict[SecretFile, list[int]] = {}
        if area:
            count = area // PAGE_SIZE // PAGES_PER_2M
            self._area = [kernel.ram.free.take_2m() for _ in range(count)]

    def take(self, file: SecretFile) -> int:
        """Give a page of the file's chunk, after taking one if needed."""
        spare = self._spare.setdefault(file, [])
        if not spare:
            start = self._chunk()
            self._chunks.setdefault(file, []).append(start)
            spare.extend(range(start, start + PAGES_PER_2M))
        page = spare.pop(0)
        self._kernel.ram.adopt(page)
        return page

    def give_back(self, file: SecretFile, page: int) -> None:
        """Wipe the page and keep it in the file's chunk."""
        self._kernel.ram.wipe(page)
        self._kernel.ram.retire(page)
        self._spare[file].append(page)

    def close(self, file: SecretFile) -> None:
        """Give the file's chunks back, mapped again."""
        for start in self._chunks.pop(file, []):
            self._kernel.directmap.put_back_2m(start)
            if self._area is None:
                self._kernel.ram.free.give_2m(start)
            else:
                self._area.append(start)
        self._spare.pop(file, None)

    def held(self) -> int:
        """Give the chunks' pages, used or not."""
        chunks = sum(len(starts) for starts in self._chunks.values())
        return chunks * PAGES_PER_2M

    def _chunk(self) -> int:
        kernel = self._kernel
        if self._area is None:
            start = kernel.ram.free.take_2m()
        elif self._area:
            start = self._area.pop(0)
            kernel.cpu.events["migrate"] += PAGES_PER_2M
        else:
            raise MemoryError
        kernel.directmap.take_out_2m(start)
        kernel.directmap.flush()
        return start


def source_for(kernel: Kernel) -> Source:
    """Make the source that the machine's configuration names."""
    config = kernel.config
    if config.pool == "reserved":
        return Reserved(kernel, config.pool_size)
    if config.pool == "none":
        return PageByPage(kernel)
    area = config.pool_size if config.pool == "cma" else 0
    return Chunks(kernel, area=area)
