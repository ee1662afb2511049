"""
System calls on mappings: mmap, munmap, mprotect, mremap, mlock, mseal.

The order of the checks is the kernel's, so that a call with two faults gets
the errno it would really get. Sources: mm/mmap.c, mm/mprotect.c,
mm/mremap.c, mm/mlock.c, mm/mseal.c, mm/secretmem.c.
"""

from __future__ import annotations

import errno

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.files import SecretFile
from secretmem.model.task import Task, syscall
from secretmem.model.vma import Vma, VmFlag


class MappingCalls(Task):
    """The calls that make, change and remove mappings."""

    @syscall
    def mmap(
        self,
        length: int,
        prot: int,
        flags: int,
        fd: int = -1,
        offset: int = 0,
        addr: int = 0,
    ) -> int:
        """
        Map `length` bytes; the result is the address.

        Args:
            length: bytes, rounded up to pages.
            prot: PROT_ bits.
            flags: MAP_ bits; MAP_ANONYMOUS for ordinary memory.
            fd: descriptor, ignored for anonymous memory.
            offset: bytes into the file, a multiple of 4,096.
            addr: where, with MAP_FIXED; it replaces what is mapped there.

        Raises:
            OSError: EBADF, EINVAL (private, huge, unaligned, length 0),
                EPERM (executable), EAGAIN (over RLIMIT_MEMLOCK),
                ENODEV (a pipe), EOPNOTSUPP (MAP_SYNC).

        """
        if offset % abi.PAGE_SIZE:
            raise refusal(errno.EINVAL, "mmap")
        file = None
        if not flags & abi.MAP_ANONYMOUS:
            file = self.file(fd, "mmap")
        if flags & abi.MAP_HUGETLB or length <= 0 or addr % abi.PAGE_SIZE:
            raise refusal(errno.EINVAL, "mmap")
        pages = abi.pages_in(length)
        if flags & abi.MAP_LOCKED:
            self._may_lock_more(pages, "mmap")
        if file is None:
            vma = self._anonymous(pages, prot, flags)
        elif isinstance(file, SecretFile):
            vma = self._secret(file, prot, flags)
            vma.index = offset // abi.PAGE_SIZE
        else:
            raise refusal(errno.ENODEV, "mmap")
        self._place(vma, addr, pages, flags)
        return vma.start * abi.PAGE_SIZE

    @syscall
    def munmap(self, addr: int, length: int) -> None:
        """
        Remove every mapping in the range; gaps do not matter.

        Raises:
            OSError: EINVAL (unaligned, length 0), EPERM (sealed).

        """
        if addr % abi.PAGE_SIZE or length <= 0:
            raise refusal(errno.EINVAL, "munmap")
        start = addr // abi.PAGE_SIZE
        end = start + abi.pages_in(length)
        self._refuse_sealed(start, end, "munmap")
        self.mm.unmap(start, end)

    @syscall
    def mprotect(self, addr: int, length: int, prot: int) -> None:
        """
        Change the rights of a range, mapping by mapping.

        What lies before the first fault is changed, as in the kernel.

        Raises:
            OSError: EINVAL (unaligned), ENOMEM (a gap), EACCES (executable
                secret memory), EPERM (sealed).

        """
        if addr % abi.PAGE_SIZE:
            raise refusal(errno.EINVAL, "mprotect")
        start = addr // abi.PAGE_SIZE
        end = start + abi.pages_in(length)
        page = start
        for vma in self.mm.vmas.over(start, end):
            if vma.start > page:
                break
            if VmFlag.SEALED in vma.flags:
                raise refusal(errno.EPERM, "mprotect")
            if prot & abi.PROT_EXEC and not self._may_execute(vma):
                raise refusal(errno.EACCES, "mprotect")
            page = min(vma.end, end)
            for part in self.mm.vmas.carve(max(vma.start, start), page):
                part.prot = prot
        if page < end:
            raise refusal(errno.ENOMEM, "mprotect")

    @syscall
    def mremap(
        self, addr: int, old: int, new: int, flags: int = 0, to: int = 0
    ) -> int:
        """
        Grow, shrink or move one mapping; the result is the address.

        Args:
            addr: start of the range.
            old: bytes now; 0 duplicates a shared mapping.
            new: bytes wanted.
            flags: MREMAP_MAYMOVE, and MREMAP_FIXED with `to`.
            to: new address.

        Raises:
            OSError: EFAULT (no single mapping; or an inherited mapping must
                not grow), EINVAL, ENOMEM (no room in place), EAGAIN (over
                RLIMIT_MEMLOCK), EPERM (sealed).

        """
        if addr % abi.PAGE_SIZE or to % abi.PAGE_SIZE or new <= 0:
            raise refusal(errno.EINVAL, "mremap")
        start = addr // abi.PAGE_SIZE
        have, want = abi.pages_in(old), abi.pages_in(new)
        fixed = bool(flags & abi.MREMAP_FIXED)
        goal = to // abi.PAGE_SIZE
        if fixed and goal < start + have and start < goal + want:
            raise refusal(errno.EINVAL, "mremap")
        self._refuse_sealed(start, start + max(have, 1), "mremap")
        if fixed:
            self._refuse_sealed(goal, goal + want, "mremap")
        vma = self.mm.vmas.at(start)
        if vma is None:
            raise refusal(errno.EFAULT, "mremap")
        if have == 0 or fixed:
            return self._move(vma, start, have, want, goal, fixed=fixed)
        if want <= have:
            self.mm.unmap(start + want, start + have)
            return addr
        return self._grow(vma, start, have, want, flags)

    @syscall
    def mlock(self, addr: int, length: int) -> None:
        """
        Lock a range; on secret memory ENOMEM, although it is locked.

        The kernel sets the flag, then fails to populate the pages, because
        populating goes through get_user_pages.

        Raises:
            OSError: EPERM (limit 0), ENOMEM (limit, gap, secret memory).

        """
        start, end = self._whole_pages(addr, length)
        if self.memlock == 0 and abi.CAP_IPC_LOCK not in self.caps:
            raise refusal(errno.EPERM, "mlock")
        already = sum(
            min(vma.end, end) - max(vma.start, start)
            for vma in self.mm.vmas.over(start, end)
            if VmFlag.LOCKED in vma.flags
        )
        total = self.mm.locked_pages - already + end - start
        if self._over_limit(total):
            raise refusal(errno.ENOMEM, "mlock")
        self._set_locked(start, end, lock=True)
        for vma in self.mm.vmas.over(start, end):
            if vma.secret or vma.prot == abi.PROT_NONE:
                raise refusal(errno.ENOMEM, "mlock")

    @syscall
    def munlock(self, addr: int, length: int) -> None:
        """
        Unlock a range; secret memory stays as it is.

        Raises:
            OSError: ENOMEM (a gap).

        """
        start, end = self._whole_pages(addr, length)
        self._set_locked(start, end, lock=False)

    @syscall
    def mseal(self, addr: int, length: int) -> None:
        """
        Seal a range for the life of the process (Linux 6.10).

        Raises:
            OSError: EINVAL (unaligned), ENOMEM (a gap).

        """
        if addr % abi.PAGE_SIZE:
            raise refusal(errno.EINVAL, "mseal")
        start, end = self._whole_pages(addr, length)
        if self.mm.vmas.gap(start, end) is not None:
            raise refusal(errno.ENOMEM, "mseal")
        for vma in self.mm.vmas.carve(start, end):
            vma.flags |= VmFlag.SEALED

    def vm_flags(self, addr: int) -> set[str]:
        """Give the smaps VmFlags codes at `addr` that the model knows."""
        vma = self.mm.vmas.at(abi.page_of(addr))
        return set() if vma is None else vma.codes()

    def vm_lck(self) -> int:
        """Give VmLck of /proc/PID/status, in bytes."""
        return self.mm.locked_pages * abi.PAGE_SIZE

    def _anonymous(self, pages: int, prot: int, flags: int) -> Vma:
        if flags & abi.MAP_TYPE != abi.MAP_PRIVATE:
            raise refusal(errno.EINVAL, "mmap")
        kind = VmFlag.NONE
        if flags & abi.MAP_LOCKED:
            kind |= VmFlag.LOCKED
        exclusive = flags & abi.MAP_EXCLUSIVE
        if exclusive and self.kernel.config.interface == "mmap-flag":
            self._may_lock_more(pages, "mmap")
            kind |= VmFlag.EXCLUSIVE | VmFlag.LOCKED | VmFlag.DONTDUMP
        return Vma(0, 0, prot, flags=kind)

    def _secret(self, file: SecretFile, prot: int, flags: int) -> Vma:
        config = self.kernel.config
        kind = flags & abi.MAP_TYPE
        if kind not in _MAP_TYPES:
            raise refusal(errno.EINVAL, "mmap")
        if kind == abi.MAP_SHARED_VALIDATE and flags & abi.MAP_SYNC:
            raise refusal(errno.EOPNOTSUPP, "mmap")
        if prot & abi.PROT_EXEC and config.refuses_exec:
            raise refusal(errno.EPERM, "mmap")
        vma = Vma(0, 0, prot, file=file, flags=VmFlag.DONTDUMP)
        if config.accounting == "process" or flags & abi.MAP_LOCKED:
            vma.flags |= VmFlag.LOCKED
        return vma

    def _place(self, vma: Vma, addr: int, pages: int, flags: int) -> None:
        """
        Insert a mapping; with MAP_FIXED what was there goes first.

        It goes even if the file then refuses the new mapping: the kernel
        asks the file too late to put the old mapping back.
        """
        start = addr // abi.PAGE_SIZE
        counted = self.mm.locked_pages
        if flags & abi.MAP_FIXED:
            self._refuse_sealed(start, start + pages, "mmap")
            self.mm.unmap(start, start + pages)
        else:
            start = self.mm.choose(pages)
        if not self.kernel.config.counts_replaced:
            counted = self.mm.locked_pages
        if vma.file is not None:
            self._ask_file(vma.file, flags, counted + pages)
        vma.start, vma.end = start, start + pages
        self.mm.vmas.add(vma)

    def _ask_file(self, file: SecretFile, flags: int, total: int) -> None:
        """Let the secretmem file refuse: private, or over the limit."""
        private = flags & abi.MAP_TYPE == abi.MAP_PRIVATE
        if private or not file.ready:
            raise refusal(errno.EINVAL, "mmap")
        by_process = self.kernel.config.accounting == "process"
        if by_process and self._over_limit(total):
            raise refusal(errno.EAGAIN, "mmap")

    def _may_execute(self, vma: Vma) -> bool:
        return vma.file is None or not self.kernel.config.refuses_exec

    def _may_lock_more(self, pages: int, call: str) -> None:
        if self.memlock == 0 and abi.CAP_IPC_LOCK not in self.caps:
            raise refusal(errno.EPERM, call)
        if self._over_limit(self.mm.locked_pages + pages):
            raise refusal(errno.EAGAIN, call)

    def _over_limit(self, pages: int) -> bool:
        if abi.CAP_IPC_LOCK in self.caps:
            return False
        return pages > self.memlock // abi.PAGE_SIZE

    def _sealed(self, start: int, end: int) -> bool:
        return any(
            VmFlag.SEALED in vma.flags for vma in self.mm.vmas.over(start, end)
        )

    def _refuse_sealed(self, start: int, end: int, call: str) -> None:
        if self._sealed(start, end):
            raise refusal(errno.EPERM, call)

    def _whole_pages(self, addr: int, length: int) -> tuple[int, int]:
        end = abi.pages_in(addr + length) if length else abi.page_of(addr)
        return abi.page_of(addr), end

    def _set_locked(self, start: int, end: int, *, lock: bool) -> None:
        gap = self.mm.vmas.gap(start, end)
        for vma in self.mm.vmas.carve(start, end if gap is None else gap):
            if vma.secret:
                continue
            if lock:
                vma.flags |= VmFlag.LOCKED
            else:
                vma.flags &= ~VmFlag.LOCKED
        if gap is not None:
            raise refusal(errno.ENOMEM, "mlock" if lock else "munlock")

    def _check_growth(self, vma: Vma, more: int) -> None:
        if VmFlag.DONTEXPAND in vma.flags:
            raise refusal(errno.EFAULT, "mremap")
        if VmFlag.LOCKED in vma.flags and self._over_limit(
            self.mm.locked_pages + more
        ):
            raise refusal(errno.EAGAIN, "mremap")

    def _grow(
        self, vma: Vma, start: int, have: int, want: int, flags: int
    ) -> int:
        if start + have > vma.end:
            raise refusal(errno.EFAULT, "mremap")
        self._check_growth(vma, want - have)
        room = not self.mm.vmas.over(vma.end, start + want)
        if start + have == vma.end and room:
            vma.end = start + want
            return start * abi.PAGE_SIZE
        if not flags & abi.MREMAP_MAYMOVE:
            raise refusal(errno.ENOMEM, "mremap")
        return self._move(vma, start, have, want, 0, fixed=False)

    def _move(
        self,
        vma: Vma,
        start: int,
        have: int,
        want: int,
        goal: int,
        *,
        fixed: bool,
    ) -> int:
        """Move pages `start` to `start+have`; `have` 0 duplicates."""
        if have == 0 and vma.file is None:
            raise refusal(errno.EINVAL, "mremap")
        if start + have > vma.end:
            raise refusal(errno.EFAULT, "mremap")
        if want > have:
            self._check_growth(vma, want - have)
        if fixed:
            self.mm.unmap(goal, goal + want)
            # A duplicate may be asked for over its own original.
            left = self.mm.vmas.at(start)
            if left is None:
                raise refusal(errno.EFAULT, "mremap")
            vma = left
        else:
            goal = self.mm.choose(want)
        copy = Vma(
            goal,
            goal + want,
            vma.prot,
            vma.file,
            vma.file_page(start),
            vma.flags,
        )
        self.mm.vmas.add(copy)
        self._carry(start, goal, min(have, want))
        if have:
            self.mm.unmap(start, start + have)
        return goal * abi.PAGE_SIZE

    def _carry(self, start: int, goal: int, pages: int) -> None:
        mm = self.mm
        for step in range(pages):
            if start + step in mm.table:
                mm.table[goal + step] = mm.table.pop(start + step)
            if start + step in mm.swapped:
                mm.swapped[goal + step] = mm.swapped.pop(start + step)
            if start + step in mm.guards:
                mm.guards.discard(start + step)
                mm.guards.add(goal + step)


_MAP_TYPES = frozenset(
    {abi.MAP_SHARED, abi.MAP_PRIVATE, abi.MAP_SHARED_VALIDATE}
)
