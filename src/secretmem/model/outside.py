"""
Who looks at the machine as a whole: root, a crash kernel, swap, hibernation.

Each observer gives the bytes it would get. What it does not get is as much
part of the model: the direct map has a hole (`kcore` reads zeros), swap and
core files never see the page, hibernation is refused. A crash kernel, a
hypervisor and code running in the victim's own context do see it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.vma import VmFlag


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secretmem.model.kernel import Kernel
    from secretmem.model.task import Task


ZERO_PAGE = bytes(abi.PAGE_SIZE)


def frame_of(task: Task, address: int) -> int | None:
    """Give the frame behind `address`, as root reads it from pagemap."""
    return task.mm.table.get(abi.page_of(address))


def kcore(kernel: Kernel, frame: int) -> bytes:
    """
    Read a frame through /proc/kcore: 4,096 bytes, zeros where a hole is.

    The kernel hides the fault; the reader gets no errno. A kernel bug that
    reads through the direct map gets nothing either (it faults).
    """
    if not kernel.directmap.maps(frame):
        return ZERO_PAGE
    return bytes(kernel.ram.content(frame))


def image_mapping(kernel: Kernel, frame: int) -> bytes:
    """
    Read a frame through the kernel's second mapping of its own image.

    The hole is in the direct map alone. A frame that the kernel freed out of
    its image after boot is shown by this mapping still, secret or not; what
    never was part of the image is not.
    """
    if frame >= kernel.config.image_pages:
        return ZERO_PAGE
    return bytes(kernel.ram.content(frame))


def devmem(kernel: Kernel, frame: int) -> bytes:  # noqa: ARG001 one shape
    """
    Read a frame through /dev/mem.

    Raises:
        OSError: EPERM for all RAM, secret or not (CONFIG_STRICT_DEVMEM).

    """
    raise refusal(errno.EPERM, "read")


def hypervisor(kernel: Kernel) -> Iterator[bytes]:
    """Give every frame that ever held something: the host sees them all."""
    for frame in kernel.ram.touched():
        yield bytes(kernel.ram.content(frame))


def vmcore(kernel: Kernel) -> Iterator[bytes]:
    """
    Crash, and read the old memory from the crash kernel (/proc/vmcore).

    It maps physical memory anew and does not know what was secret.
    """
    return hypervisor(kernel)


def probe_read_user(task: Task, address: int, count: int) -> bytes:
    """
    Read as BPF or perf do when they run in the victim's own context.

    Bytes behind a page that is absent or has no access right read as zero.
    The range must not cross a page.
    """
    page = abi.page_of(address)
    frame = task.mm.table.get(page)
    vma = task.mm.vmas.at(page)
    if frame is None or vma is None or not vma.allows(write=False):
        return bytes(count)
    begin = address % abi.PAGE_SIZE
    return bytes(task.kernel.ram.content(frame)[begin : begin + count])


def core_dump(task: Task) -> dict[int, bytes]:
    """
    Write a core file; the result maps page address to content.

    Secret pages are missing, after MADV_DODUMP too: the dump pins its pages
    and the pin is refused, so the file has a hole there.
    """
    dump = {}
    for vma in task.mm.vmas.all():
        if VmFlag.DONTDUMP in vma.flags or vma.secret:
            continue
        for page in range(vma.start, vma.end):
            if page in task.mm.table:
                frame = task.mm.table[page]
                content = bytes(task.kernel.ram.content(frame))
                dump[page * abi.PAGE_SIZE] = content
    return dump


def reclaim(kernel: Kernel) -> int:
    """
    Run out of memory: swap out what can be; the result counts pages.

    Locked private pages stay. Secret pages stay whether locked or not: their
    file is marked unevictable.
    """
    moved = 0
    for task in list(kernel.processes.values()):
        for vma in task.mm.vmas.all():
            for page in range(vma.start, vma.end):
                moved += task.mm.swap_out(vma, page)
    return moved


def sleep_states(kernel: Kernel) -> list[str]:
    """Give what /sys/power/state offers: "disk" only if nothing forbids."""
    states = ["freeze", "mem"]
    if kernel.config.hibernation and not _hibernation_blocked(kernel):
        states.append("disk")
    return states


def hibernate(kernel: Kernel) -> list[bytes]:
    """
    Write the image of a hibernation; the result is its pages.

    Raises:
        OSError: EPERM while any secretmem file is open or mapped, by
            anybody. Before that rule (v13) the image held secret pages: the
            kernel maps a page back to copy it.

    """
    if "disk" not in sleep_states(kernel):
        raise refusal(errno.EPERM, "write")
    return [
        bytes(kernel.ram.content(frame))
        for frame in kernel.ram.touched()
        if kernel.ram.in_use(frame)
    ]


def sees(needle: bytes, pages: Iterable[bytes]) -> bool:
    """Tell whether any of `pages` holds `needle`."""
    return any(needle in page for page in pages)


def direct_map(kernel: Kernel) -> Iterator[bytes]:
    """Give every frame as a reader through the direct map gets it."""
    for frame in kernel.ram.touched():
        yield kcore(kernel, frame)


def _hibernation_blocked(kernel: Kernel) -> bool:
    return kernel.config.blocks_hibernation and kernel.secret_files > 0
