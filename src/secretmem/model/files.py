"""
Open files: secretmem files, pipes and files on a disk.

An `OpenFile` is what a descriptor points to. It lives while a descriptor in
any process or a mapping in any process uses it; then `release` runs. For a
secretmem file that is the moment when its pages are mapped back into the
direct map and wiped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.model import abi


if TYPE_CHECKING:
    from secretmem.model.kernel import Kernel


class OpenFile:
    """
    What a descriptor points to.

    Attributes:
        kind: "secretmem", "pipe" or "disk".
        uses: descriptors and mappings that use it.
        status: open flags as `F_GETFL` reports them.

    """

    kind = "file"

    def __init__(self, kernel: Kernel, status: int) -> None:
        """Open with no user yet."""
        self.kernel = kernel
        self.status = status
        self.uses = 0

    def hold(self) -> None:
        """Count one more descriptor or mapping."""
        self.uses += 1

    def let_go(self) -> None:
        """Count one less, and release the file with the last one."""
        self.uses -= 1
        if self.uses == 0:
            self.release()

    def release(self) -> None:
        """Nobody can reach the file any more."""


class SecretFile(OpenFile):
    """
    A secretmem file: a size set once, and pages that nobody else reaches.

    Attributes:
        size: bytes, 0 until `ftruncate`.
        pages: page number by index in the file.
        owner: user id that pays for the pages under "user" accounting.
        hidden: whether its pages leave the direct map (always, since v4).
        uncached: whether it is mapped uncached (only until v11).
        ready: whether it may be mapped (the memfd form needs an ioctl).

    """

    kind = "secretmem"

    def __init__(self, kernel: Kernel, owner: int) -> None:
        """Create an empty file of user `owner`."""
        super().__init__(kernel, abi.O_RDWR | abi.O_LARGEFILE)
        self.size = 0
        self.pages: dict[int, int] = {}
        self.owner = owner
        self.hidden = True
        self.uncached = False
        self.ready = True
        kernel.secret_files += 1

    def holds(self, index: int) -> bool:
        """Tell whether page `index` lies inside the file."""
        return index * abi.PAGE_SIZE < self.size

    def release(self) -> None:
        """Give every page back, mapped and wiped, and the charge with it."""
        for page in self.pages.values():
            self.kernel.free_secret(self, page)
        self.kernel.user_locked[self.owner] -= len(self.pages)
        self.pages.clear()
        self.kernel.close_secret(self)
        self.kernel.secret_files -= 1


class Pipe(OpenFile):
    """
    One end of a pipe; both ends share the buffers.

    What is written lies in ordinary kernel pages, inside the direct map,
    until it is read: here a secret leaks if its owner writes it.
    """

    kind = "pipe"

    def __init__(self, kernel: Kernel, buffers: list[PipeBuffer]) -> None:
        """Make one end over the shared list of buffers."""
        super().__init__(kernel, abi.O_RDWR)
        self.buffers = buffers

    def put(self, data: bytes) -> None:
        """Copy `data` into fresh kernel pages."""
        for start in range(0, len(data), abi.PAGE_SIZE):
            part = data[start : start + abi.PAGE_SIZE]
            page = self.kernel.ram.take()
            self.kernel.ram.content(page)[: len(part)] = part
            self.buffers.append(PipeBuffer(page, len(part)))

    def get(self, count: int) -> bytes:
        """Take up to `count` bytes out; freed pages keep their content."""
        out = bytearray()
        while self.buffers and len(out) < count:
            buffer = self.buffers[0]
            out += buffer.take(self.kernel, count - len(out))
            if buffer.start == buffer.end:
                del self.buffers[0]
                self.kernel.ram.drop(buffer.page)
        return bytes(out)


class PipeBuffer:
    """A page of a pipe with the bytes `start` to `end` not yet read."""

    def __init__(self, page: int, end: int) -> None:
        """Hold bytes 0 to `end` of `page`."""
        self.page = page
        self.start = 0
        self.end = end

    def take(self, kernel: Kernel, count: int) -> bytes:
        """Read up to `count` bytes."""
        stop = min(self.end, self.start + count)
        data = bytes(kernel.ram.content(self.page)[self.start : stop])
        self.start = stop
        return data


class Disk(OpenFile):
    """
    A file on a disk.

    Attributes:
        content: what the disk holds.
        cache: page-cache pages, ordinary memory, filled by plain writes.
        direct: whether it was opened with O_DIRECT, so that a device reads
            the caller's pages itself.

    """

    kind = "disk"

    def __init__(self, kernel: Kernel, *, direct: bool) -> None:
        """Open an empty file."""
        status = abi.O_RDWR | (abi.O_DIRECT if direct else 0)
        super().__init__(kernel, status)
        self.direct = direct
        self.content = bytearray()
        self.cache: list[int] = []

    def put(self, data: bytes) -> None:
        """Append `data`: through the page cache, or by the device."""
        if not self.direct:
            for start in range(0, len(data), abi.PAGE_SIZE):
                part = data[start : start + abi.PAGE_SIZE]
                page = self.kernel.ram.take()
                self.kernel.ram.content(page)[: len(part)] = part
                self.cache.append(page)
        self.content += data

    def release(self) -> None:
        """Drop the cached pages; their content stays until reuse."""
        for page in self.cache:
            self.kernel.ram.drop(page)
        self.cache.clear()


class Descriptor:
    """An entry of a descriptor table: the open file and close-on-exec."""

    def __init__(self, file: OpenFile, *, cloexec: bool) -> None:
        """Use `file`."""
        file.hold()
        self.file = file
        self.cloexec = cloexec
