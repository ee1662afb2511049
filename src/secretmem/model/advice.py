"""
madvise(2): which advice secret memory takes, and which it refuses.

Most refusals follow from VM_LOCKED, so a mapping inherited by fork, which
has lost that flag, takes advice that its parent's refuses. Source:
mm/madvise.c.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.task import Task, syscall
from secretmem.model.vma import VmFlag


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.model.vma import Vma


class AdviceCalls(Task):
    """The madvise call."""

    @syscall
    def madvise(self, addr: int, length: int, advice: int) -> None:
        """
        Advise the kernel about a range, mapping by mapping.

        A gap is skipped and reported at the end; a refusal stops.

        Raises:
            OSError: EINVAL (unaligned, unknown or refused advice), ENOMEM
                (a gap), EFAULT (populating fails).

        """
        if advice not in _KNOWN or addr % abi.PAGE_SIZE:
            raise refusal(errno.EINVAL, "madvise")
        start = addr // abi.PAGE_SIZE
        end = start + abi.pages_in(length)
        if advice in _POPULATE:
            _populate(self, start, end, write=_POPULATE[advice])
            return
        gap = self.mm.vmas.gap(start, end) is not None
        for vma in self.mm.vmas.carve(start, end):
            if advice in _SET_FLAGS:
                _set_flags(vma, advice)
            else:
                _ACTIONS[advice](self, vma)
        if gap:
            raise refusal(errno.ENOMEM, "madvise")


def _set_flags(vma: Vma, advice: int) -> None:
    adds, removes = _SET_FLAGS[advice]
    if advice == abi.MADV_WIPEONFORK and vma.file is not None:
        raise refusal(errno.EINVAL, "madvise")
    if advice == abi.MADV_DODUMP and VmFlag.DONTEXPAND in vma.flags:
        raise refusal(errno.EINVAL, "madvise")
    vma.flags = (vma.flags | adds) & ~removes


def _populate(task: Task, start: int, end: int, *, write: bool) -> None:
    for page in range(start, end):
        vma = task.mm.vmas.at(page)
        if vma is None:
            raise refusal(errno.ENOMEM, "madvise")
        if vma.secret or not vma.allows(write=write):
            raise refusal(errno.EINVAL, "madvise")
        task.mm.pin(page, task.memlock, write=write)


def _nothing(task: Task, vma: Vma) -> None:
    """Accept the advice; the model has nothing to do."""


def _unlocked_only(task: Task, vma: Vma) -> None:  # noqa: ARG001 one shape
    if VmFlag.LOCKED in vma.flags:
        raise refusal(errno.EINVAL, "madvise")


def _dontneed(task: Task, vma: Vma) -> None:
    _unlocked_only(task, vma)
    task.mm.zap(vma, vma.start, vma.end)


def _dontneed_locked(task: Task, vma: Vma) -> None:
    task.mm.zap(vma, vma.start, vma.end)


def _free(task: Task, vma: Vma) -> None:
    _unlocked_only(task, vma)
    if vma.file is not None:
        raise refusal(errno.EINVAL, "madvise")


def _pageout(task: Task, vma: Vma) -> None:
    _unlocked_only(task, vma)
    for page in range(vma.start, vma.end):
        task.mm.swap_out(vma, page)


def _remove(task: Task, vma: Vma) -> None:
    _unlocked_only(task, vma)
    # Anonymous memory has no file to punch; secretmem has no fallocate.
    code = errno.EINVAL if vma.file is None else errno.EOPNOTSUPP
    raise refusal(code, "madvise")


def _collapse(task: Task, vma: Vma) -> None:  # noqa: ARG001 one shape
    if vma.secret:
        raise refusal(errno.EINVAL, "madvise")


def _guard(task: Task, vma: Vma) -> None:
    _unlocked_only(task, vma)
    shared = vma.file is not None
    if shared and not task.kernel.config.guards_shared:
        raise refusal(errno.EINVAL, "madvise")
    if VmFlag.DONTEXPAND in vma.flags:
        raise refusal(errno.EINVAL, "madvise")
    task.mm.zap(vma, vma.start, vma.end)
    task.mm.guards.update(range(vma.start, vma.end))


def _unguard(task: Task, vma: Vma) -> None:
    task.mm.guards.difference_update(range(vma.start, vma.end))


_POPULATE: Final = {
    abi.MADV_POPULATE_READ: False,
    abi.MADV_POPULATE_WRITE: True,
}

_SET_FLAGS: Final = {
    abi.MADV_DONTFORK: (VmFlag.DONTFORK, VmFlag.NONE),
    abi.MADV_DOFORK: (VmFlag.NONE, VmFlag.DONTFORK),
    abi.MADV_DONTDUMP: (VmFlag.DONTDUMP, VmFlag.NONE),
    abi.MADV_DODUMP: (VmFlag.NONE, VmFlag.DONTDUMP),
    abi.MADV_WIPEONFORK: (VmFlag.WIPEONFORK, VmFlag.NONE),
    abi.MADV_KEEPONFORK: (VmFlag.NONE, VmFlag.WIPEONFORK),
}

_ACTIONS: Final[dict[int, Callable[[Task, Vma], None]]] = {
    abi.MADV_NORMAL: _nothing,
    abi.MADV_RANDOM: _nothing,
    abi.MADV_SEQUENTIAL: _nothing,
    abi.MADV_WILLNEED: _nothing,
    abi.MADV_MERGEABLE: _nothing,
    abi.MADV_HUGEPAGE: _nothing,
    abi.MADV_DONTNEED: _dontneed,
    abi.MADV_DONTNEED_LOCKED: _dontneed_locked,
    abi.MADV_FREE: _free,
    abi.MADV_COLD: _unlocked_only,
    abi.MADV_PAGEOUT: _pageout,
    abi.MADV_REMOVE: _remove,
    abi.MADV_COLLAPSE: _collapse,
    abi.MADV_GUARD_INSTALL: _guard,
    abi.MADV_GUARD_REMOVE: _unguard,
}

_KNOWN: Final = frozenset({*_POPULATE, *_SET_FLAGS, *_ACTIONS})
