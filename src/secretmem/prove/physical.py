"""
Reading the machine's memory by page frame, as a kernel bug would.

Two ways to the kernel's direct map are tried: /proc/kcore, and a BPF program
that reads kernel addresses.  Both need root.  A third, /dev/mem, is closed on
every kernel with CONFIG_STRICT_DEVMEM.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING, Protocol, Self

from secretmem.prove import linux
from secretmem.prove.bpf import READ_KERNEL, MemoryProbe, TaskProbe


if TYPE_CHECKING:
    from collections.abc import Iterable


_PRESENT = 1 << 63
_FRAME = (1 << 55) - 1
_GIB = 1 << 30


class Memory(Protocol):
    """A way to read page frames."""

    name: str

    def read(self, frame: int) -> bytes:
        """Return the content of a page frame; raises OSError."""

    def close(self) -> None:
        """Give up the way."""


class KernelCore:
    """
    The direct map as /proc/kcore shows it, an ELF core file.

    The mapping of the kernel image, which is there too, is left out: memory
    that the kernel needed at boot only stays mapped in it after it was freed
    (unless page table isolation is on), and memfd_secret does not take a page
    out of it that comes from there.  That mapping is not what is promised.
    """

    name = "/proc/kcore"

    # Program header of elf(5): type, flags, offset, vaddr, paddr, filesz.
    _HEADER = struct.Struct("=IIQQQQQQ")
    _LOAD = 1
    # x86-64: the kernel image is mapped in the last 2 GiB.
    _IMAGE = 0xFFFFFFFF80000000

    def __init__(self, path: str = "/proc/kcore") -> None:
        """Open it and find the segments of the direct map."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        start, size, count = struct.unpack_from(
            "=Q14xHH", os.pread(self._fd, 64, 0), 32
        )
        table = os.pread(self._fd, size * count, start)
        headers = (
            self._HEADER.unpack_from(table, size * index)
            for index in range(count)
        )
        self._segments = [
            (paddr, length, offset)
            for kind, _, offset, vaddr, paddr, length, _, _ in headers
            if kind == self._LOAD and paddr < 1 << 52 and vaddr < self._IMAGE
        ]

    def read(self, frame: int) -> bytes:
        """Return the content of a page frame, nothing where there is none."""
        address = frame * linux.PAGE
        for start, length, offset in self._segments:
            if start <= address < start + length:
                place = offset + address - start
                return os.pread(self._fd, linux.PAGE, place)
        return b""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class DirectMap:
    """The direct map read by a BPF program, bpf_probe_read_kernel."""

    name = "bpf_probe_read_kernel through the direct map"

    def __init__(self) -> None:
        """Attach the program and find where the direct map begins."""
        with TaskProbe() as probe:
            task = probe.task()
        self._probe = MemoryProbe(os.getpid(), READ_KERNEL, linux.PAGE)
        try:
            self._base = self._find(task)
        except OSError:
            self.close()
            raise

    def read(self, frame: int) -> bytes:
        """Return the content of a page frame."""
        return self._read(self._base + frame * linux.PAGE)

    def close(self) -> None:
        """Detach the program."""
        self._probe.close()

    def _read(self, address: int) -> bytes:
        """Read a page at a kernel address."""
        self._probe.aim(address)
        os.getppid()
        return self._probe.take()

    def _find(self, task: int) -> int:
        """
        Return the start of the direct map.

        It begins at a multiple of 1 GiB below the task structure: the right
        multiple shows a page of ours at its frame.
        """
        with _Sample() as sample:
            reach = sample.frame * linux.PAGE + 64 * _GIB
            top = task & -_GIB
            for base in range(top, top - reach - _GIB, -_GIB):
                try:
                    data = self._read(base + sample.frame * linux.PAGE)
                except OSError:
                    continue
                if data == sample.content:
                    return base
        raise OSError(2, "the direct map was not found")


class _Sample:
    """A page of this process with random content, to try a way with."""

    def __init__(self) -> None:
        """Fill the page and find its frame."""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._page = mmap.mmap(-1, linux.PAGE, flags=flags)
        self.content = os.urandom(linux.PAGE)
        self._page[:] = self.content
        address = linux.address_of(self._page)[0]
        self.frame = next(iter(frames(os.getpid(), [address])), 0)

    def __enter__(self) -> Self:
        """Return the sample."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the page."""
        self._page.close()


def frames(pid: int, addresses: Iterable[int]) -> list[int]:
    """
    Return the page frames at ``addresses``, those that are present.

    Reads /proc/PID/pagemap; without CAP_SYS_ADMIN it shows no frames.
    """
    found = []
    fd = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for address in addresses:
            entry = os.pread(fd, 8, address // linux.PAGE * 8)
            word = int.from_bytes(entry, "little")
            if word & _PRESENT and word & _FRAME:
                found.append(word & _FRAME)
    finally:
        os.close(fd)
    return found


def open_memory() -> Memory:
    """Return the first way that shows a page of ours; OSError says why."""
    reasons = []
    for way in (KernelCore, DirectMap):
        try:
            memory: Memory = way()
        except OSError as error:
            reasons.append(f"{way.name}: {linux.error_name(error.errno)}")
            continue
        with _Sample() as sample:
            if sample.frame and memory.read(sample.frame) == sample.content:
                return memory
        memory.close()
        reasons.append(f"{way.name} does not show a page of this process")
    raise OSError(1, "; ".join(reasons))


def why_not() -> str | None:
    """Return why page frames cannot be read here, None when they can."""
    try:
        open_memory().close()
    except OSError as error:
        return f"needs root and a way to the direct map ({error.strerror})"
    return None
