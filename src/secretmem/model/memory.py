"""
An address space: mappings, page table, page faults and the two kinds of copy.

The rule of the whole system stands here. A system call that copies through
the process's own page table (`copy_in`, `copy_out`) works on secret memory.
One that asks for the page itself (`pin`, the kernel's get_user_pages) is
refused with EFAULT, whoever asks.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from secretmem.model import abi
from secretmem.model.errors import SignalError, refusal
from secretmem.model.vma import Vma, VmaList, VmFlag


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.model.files import SecretFile
    from secretmem.model.kernel import Kernel


_LOWEST_CHOSEN_PAGE = 0x10000


class AddressSpace:
    """
    The memory of one process.

    Attributes:
        vmas: its mappings.
        table: its page table, frame by page.
        swapped: swap slots by page, for pages that were swapped out.
        guards: pages with a guard marker (MADV_GUARD_INSTALL).

    """

    def __init__(self, kernel: Kernel) -> None:
        """Start empty."""
        self.kernel = kernel
        self.vmas = VmaList()
        self.table: dict[int, int] = {}
        self.swapped: dict[int, int] = {}
        self.guards: set[int] = set()

    @property
    def locked_pages(self) -> int:
        """Pages of locked mappings; VmLck is this times 4 KiB."""
        return sum(
            vma.pages for vma in self.vmas.all() if VmFlag.LOCKED in vma.flags
        )

    def choose(self, pages: int) -> int:
        """Give the first page of a free range of `pages` pages."""
        page = _LOWEST_CHOSEN_PAGE
        for vma in self.vmas.all():
            if vma.start - page >= pages:
                break
            page = max(page, vma.end)
        return page

    def unmap(self, start: int, end: int) -> None:
        """Remove every mapping in [start, end) and what only it held."""
        for vma in self.vmas.carve(start, end):
            self.zap(vma, vma.start, vma.end)
            self.guards.difference_update(range(vma.start, vma.end))
            self.vmas.drop(vma)

    def zap(self, vma: Vma, start: int, end: int) -> None:
        """Drop page-table entries; private pages are freed by it."""
        for page in range(start, end):
            self.swapped.pop(page, None)
            frame = self.table.pop(page, None)
            if frame is not None and vma.file is None:
                self.kernel.free_anonymous(vma, frame)

    def swap_out(self, vma: Vma, page: int) -> bool:
        """Move one private, unlocked, unshared page to the swap space."""
        frame = self.table.get(page)
        kernel = self.kernel
        if (
            frame is None
            or vma.secret
            or VmFlag.LOCKED in vma.flags
            or kernel.ram.users(frame) > 1
            or len(kernel.swap) >= kernel.config.swap_pages
        ):
            return False
        self.swapped[page] = len(kernel.swap)
        kernel.swap.append(bytes(kernel.ram.content(frame)))
        del self.table[page]
        kernel.ram.drop(frame)
        return True

    def fault(self, page: int, limit: int, *, write: bool) -> int:
        """
        Give the frame behind `page`, as a load or a store would get it.

        Args:
            page: page number.
            limit: RLIMIT_MEMLOCK of the running process, in bytes; counts
                where pages are charged at first touch.
            write: whether it is a store.

        Raises:
            SignalError: SIGSEGV without a mapping or the right to it, SIGBUS
                past the end of a file or over the limit.

        """
        vma = self.vmas.at(page)
        if vma is None or not vma.allows(write=write):
            raise SignalError(abi.SIGSEGV)
        return self._frame(vma, page, limit, write=write)

    def pin(
        self, page: int, limit: int, *, write: bool, force: bool = False
    ) -> int:
        """
        Give the frame behind `page` to a user of get_user_pages.

        Args:
            page: page number.
            limit: as for `fault`.
            write: whether the user will change the page.
            force: ignore the mapping's rights, as debuggers do.

        Raises:
            OSError: EFAULT; always so on secret memory.

        """
        vma = self.vmas.at(page)
        if vma is None or vma.secret:
            raise refusal(errno.EFAULT, "get_user_pages")
        if not force and not vma.allows(write=write):
            raise refusal(errno.EFAULT, "get_user_pages")
        try:
            return self._frame(vma, page, limit, write=write)
        except SignalError as death:
            raise _efault(death, "get_user_pages") from None

    def copy_in(self, address: int, count: int, limit: int) -> bytes:
        """
        Copy `count` bytes from the process, as copy_from_user does.

        Raises:
            OSError: EFAULT where a load would have got a signal.

        """
        out = bytearray()
        try:
            for frame, begin, end in self.parts(
                address, count, limit, write=False
            ):
                out += self.kernel.ram.content(frame)[begin:end]
        except SignalError as death:
            raise _efault(death, "copy_from_user") from None
        return bytes(out)

    def copy_out(self, address: int, data: bytes, limit: int) -> None:
        """
        Copy `data` to the process, as copy_to_user does.

        Raises:
            OSError: EFAULT where a store would have got a signal.

        """
        done = 0
        try:
            for frame, begin, end in self.parts(
                address, len(data), limit, write=True
            ):
                part = data[done : done + end - begin]
                self.kernel.ram.content(frame)[begin:end] = part
                done += len(part)
        except SignalError as death:
            raise _efault(death, "copy_to_user") from None

    def parts(
        self, address: int, count: int, limit: int, *, write: bool
    ) -> Iterator[tuple[int, int, int]]:
        """Fault in [address, address+count); give frame, begin, end."""
        while count > 0:
            begin = address % abi.PAGE_SIZE
            size = min(count, abi.PAGE_SIZE - begin)
            page = abi.page_of(address)
            frame = self.fault(page, limit, write=write)
            vma = self.vmas.at(page)
            uncached = (
                vma is not None and vma.file is not None and vma.file.uncached
            )
            self.kernel.cpu.access(frame, begin, size, uncached=uncached)
            yield frame, begin, begin + size
            address += size
            count -= size

    def _frame(self, vma: Vma, page: int, limit: int, *, write: bool) -> int:
        if page in self.guards:
            raise SignalError(abi.SIGSEGV)
        if vma.file is not None:
            frame = self._secret_frame(vma.file, vma.file_page(page), limit)
        else:
            frame = self._private_frame(vma, page, write=write)
        self.table[page] = frame
        return frame

    def _secret_frame(self, file: SecretFile, index: int, limit: int) -> int:
        if not file.holds(index):
            raise SignalError(abi.SIGBUS)
        if index not in file.pages:
            file.pages[index] = self.kernel.new_secret(file, limit)
        return file.pages[index]

    def _private_frame(self, vma: Vma, page: int, *, write: bool) -> int:
        ram = self.kernel.ram
        frame = self.table.get(page)
        if frame is None:
            frame = self.kernel.new_anonymous(vma)
            slot = self.swapped.pop(page, None)
            if slot is not None:
                ram.content(frame)[:] = self.kernel.swap[slot]
        elif write and ram.users(frame) > 1:
            copy = self.kernel.new_anonymous(vma)
            ram.content(copy)[:] = ram.content(frame)
            ram.drop(frame)
            frame = copy
        return frame


def _efault(death: SignalError, call: str) -> Exception:
    """Give what a copying call reports: EFAULT, unless memory ran out."""
    if death.signal == abi.SIGKILL:
        return death
    return refusal(errno.EFAULT, call)
