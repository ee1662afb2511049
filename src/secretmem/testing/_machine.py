"""
The machine of the fake: a model kernel with one process that holds secrets.

The fake's secrets lie in the model's secret memory, in slots of areas that
double, as the real arena's do. So what a program meets when the limit is
reached or the call is missing is what it would meet on a real machine.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from secretmem.exceptions import LimitError
from secretmem.model import Config, Kernel, abi
from secretmem.model.plan import (
    CANARY,
    CLASSES,
    FIRST_AREA,
    LARGEST_AREA,
)


if TYPE_CHECKING:
    from secretmem.model import Process


class Slot(NamedTuple):
    """
    Where a secret lies.

    Attributes:
        address: in the model's process.
        kind: bytes of the slot; 0 for pages of its own.

    """

    address: int
    kind: int


class Machine:
    """
    A model kernel, a process, and slots in its secret memory.

    Args:
        config: the kernel; without it a current one.
        memlock: RLIMIT_MEMLOCK of the process in bytes.

    """

    def __init__(
        self, config: Config | None = None, *, memlock: int = 8 << 20
    ) -> None:
        """Boot."""
        self.kernel = Kernel(config)
        self.process: Process = self.kernel.spawn(uid=1000, memlock=memlock)
        self._free: dict[int, list[int]] = {}
        self._pages: list[int] = []
        self._next = FIRST_AREA
        self._own: dict[int, int] = {}
        self._shared: list[tuple[int, int]] = []
        self._used = 0
        self.lock = threading.RLock()
        """Held while a slot is used, so that no other thread ends it."""

    @property
    def areas(self) -> int:
        """Areas, those of single secrets too."""
        return len(self._shared) + len(self._own)

    @property
    def area_bytes(self) -> int:
        """Bytes of all areas."""
        shared = sum(length for _, length in self._shared)
        return shared + sum(self._own.values())

    def put(self, data: bytes, *, isolated: bool) -> Slot:
        """
        Store `data` in a slot.

        Raises:
            LimitError: RLIMIT_MEMLOCK of the machine is reached.
            UnavailableError: the machine has no secret memory.

        """
        with self.lock:
            slot = self._slot(len(data), isolated=isolated)
            self.process.store(slot.address, data)
        return slot

    def get(self, slot: Slot, size: int) -> bytes:
        """Read the `size` bytes of a slot."""
        return self.process.load(slot.address, size)

    def change(self, slot: Slot, data: bytes) -> None:
        """Overwrite a slot with as many bytes."""
        self.process.store(slot.address, data)

    def drop(self, slot: Slot, size: int) -> None:
        """Wipe a slot and make it free."""
        with self.lock:
            self.process.store(slot.address, bytes(size))
            if slot.kind:
                self._free[slot.kind].append(slot.address)
                self._used -= 1
            else:
                length = self._own.pop(slot.address)
                self.process.munmap(slot.address, length)

    def check_room(self, length: int) -> None:
        """
        Let the machine refuse an area of `length` bytes.

        Raises:
            LimitError, UnavailableError: as `put`.

        """
        with self.lock:
            self.process.munmap(self._area(length), length)

    def trim(self) -> int:
        """Unmap the shared areas if no slot is used; the bytes."""
        with self.lock:
            if self._used:
                return 0
            freed = sum(length for _, length in self._shared)
            for address, length in self._shared:
                self.process.munmap(address, length)
            self._shared.clear()
            self._pages.clear()
            self._free.clear()
            self._next = FIRST_AREA
        return freed

    def _slot(self, size: int, *, isolated: bool) -> Slot:
        kind = next((c for c in CLASSES if c >= size + CANARY), 0)
        if isolated or not kind:
            length = abi.pages_in(max(size, 1)) * abi.PAGE_SIZE
            address = self._area(length)
            self._own[address] = length
            return Slot(address, 0)
        free = self._free.setdefault(kind, [])
        if not free:
            page = self._page()
            count = abi.PAGE_SIZE // kind
            free.extend(page + kind * n for n in reversed(range(count)))
        self._used += 1
        return Slot(free.pop(), kind)

    def _page(self) -> int:
        if not self._pages:
            length = self._next * abi.PAGE_SIZE
            address = self._area(length)
            self._next = min(2 * self._next, LARGEST_AREA)
            self._shared.append((address, length))
            self._pages = [
                address + at for at in range(0, length, abi.PAGE_SIZE)
            ]
            self._pages.reverse()
        return self._pages.pop()

    def _area(self, length: int) -> int:
        """Do as the real package does: map, let the kernel touch, close."""
        process = self.process
        if length > process.memlock:
            raise self._limit(length)
        try:
            fd = process.memfd_secret(abi.O_CLOEXEC)
        except OSError as error:
            from secretmem._errors import unavailable

            raise unavailable("errno", error.errno or 0) from None
        process.ftruncate(fd, length)
        try:
            address = process.mmap(length, abi.PROT_RW, abi.MAP_SHARED, fd)
        except OSError:
            process.close(fd)
            raise self._limit(length) from None
        process.close(fd)
        try:
            for page in range(address, address + length, abi.PAGE_SIZE):
                process.getrandom(page, 1)
        except OSError:
            process.munmap(address, length)
            raise self._limit(length) from None
        process.store(address, bytes(length))
        return address

    def _limit(self, need: int) -> LimitError:
        limit = self.process.memlock
        return LimitError(
            f"an area of {need} bytes is over RLIMIT_MEMLOCK of the fake "
            f"machine: {limit} bytes, of which {self.area_bytes} are used",
            need=need,
            have=max(0, limit - self.area_bytes),
        )


class _Current:
    """The machine in use; booted by the first secret."""

    machine: Machine | None = None


def machine() -> Machine:
    """Give the fake's machine, booted if it is not running."""
    if _Current.machine is None:
        _Current.machine = Machine()
    return _Current.machine


def running() -> bool:
    """Tell whether the machine was booted."""
    return _Current.machine is not None


def boot(config: Config | None = None, *, memlock: int = 8 << 20) -> Machine:
    """
    Start over with another machine, such as one with a small limit.

    Secrets of the machine before are closed.

    Args:
        config: its kernel; without it a current one.
        memlock: RLIMIT_MEMLOCK of the process in bytes.

    """
    _Current.machine = Machine(config, memlock=memlock)
    return _Current.machine
