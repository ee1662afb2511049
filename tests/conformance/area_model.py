"""
What `secretmem.SecretArea` promises, in calls of the model.

An area is memfd_secret, ftruncate, mmap, one touch of each page by the
kernel, and close unless the descriptor is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.syscalls import (
    ADVICE,
    MAP_SHARED,
    O_CLOEXEC,
    PAGE,
    PROT_RW,
)
from conformance.world import ModelWorld, Outcome


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.model import Process


class RefusedError(Exception):
    """The area raises; its argument is the exception's name."""


@dataclass
class Area:
    """One area of one process."""

    address: int
    size: int
    fd: int | None
    private: bool
    owner: int
    closed: bool = False
    held: bool = False


class AreaModelWorld(ModelWorld):
    """The model's processes, with areas in numbered places."""

    def areas(self, index: int) -> dict[int, Area]:
        """Give the areas of a process."""
        return self._areas.setdefault(index, {})

    _areas: dict[int, dict[int, Area]]

    def spawn(self, uid: int, memlock: int) -> int:
        """Start a process without areas."""
        index = super().spawn(uid, memlock)
        if index == 0:
            self._areas = {}
        return index

    def fork(self, index: int) -> Outcome:
        """Fork; the child has its own account of the same areas."""
        outcome = super().fork(index)
        self._areas[outcome.what] = {
            place: replace(area) for place, area in self.areas(index).items()
        }
        return outcome

    def exec(self, index: int) -> Outcome:
        """Exec; the areas are gone."""
        self._areas[index] = {}
        return super().exec(index)

    def do(
        self, index: int, name: str, *args: object, **named: object
    ) -> Outcome:
        """Do an area's step, or a call as before."""
        step = _STEPS.get(name)
        if step is None:
            return super().do(index, name, *args, **named)
        process = self.processes[index]
        try:
            value = step(process, self.areas(index), *args, **named)
        except RefusedError as refused:
            return Outcome("raised", refused.args[0])
        return Outcome("value", value)


Areas = dict[int, Area]


def _make(
    process: Process,
    areas: Areas,
    place: int,
    size: int,
    fork: str,
    *,
    keep_fd: bool,
    cloexec: bool,
) -> int:
    fd = process.memfd_secret(O_CLOEXEC if cloexec else 0)
    process.ftruncate(fd, -(-size // PAGE) * PAGE)
    try:
        address = process.mmap(size, PROT_RW, MAP_SHARED, fd)
    except OSError:
        process.close(fd)
        raise RefusedError("LimitError") from None
    try:
        for page in range(0, size, PAGE):
            process.mm.copy_out(address + page, b"\0", process.memlock)
    except OSError:
        process.munmap(address, size)
        process.close(fd)
        raise RefusedError("LimitError") from None
    private = fork == "private"
    if private:
        process.madvise(address, size, ADVICE["DONTFORK"])
    if not keep_fd:
        process.close(fd)
    _drop(process, areas, place)
    kept = fd if keep_fd else None
    areas[place] = Area(address, size, kept, private, process.pid)
    return size


def _drop(process: Process, areas: Areas, place: int) -> None:
    """Replace an area: Python closes it unless a view holds it."""
    old = areas.pop(place, None)
    if old is not None and not old.closed:
        _unmap(process, old)


def _unmap(process: Process, area: Area) -> None:
    area.closed = True
    if not area.private or area.owner == process.pid:
        process.munmap(area.address, area.size)
    if area.fd is not None and area.fd in process.fds:
        process.close(area.fd)


def _find(areas: Areas, place: int) -> Area:
    if place not in areas:
        raise RefusedError("KeyError")
    return areas[place]


def _usable(process: Process, areas: Areas, place: int) -> Area:
    area = _find(areas, place)
    if area.closed:
        raise RefusedError("ClosedError")
    if area.private and area.owner != process.pid:
        raise RefusedError("ForkError")
    return area


def _fileno(process: Process, areas: Areas, place: int) -> int:  # noqa: ARG001
    area = _find(areas, place)
    if area.closed:
        raise RefusedError("ClosedError")
    if area.fd is None:
        raise RefusedError("ValueError")
    return area.fd


def _write(
    process: Process, areas: Areas, place: int, offset: int, data: bytes
) -> None:
    area = _usable(process, areas, place)
    if offset + len(data) > area.size:
        raise RefusedError("ValueError")
    process.store(area.address + offset, data)


def _read(process: Process, areas: Areas, place: int) -> bytes:
    area = _usable(process, areas, place)
    return process.load(area.address, area.size).rstrip(b"\0")


def _hold(process: Process, areas: Areas, place: int) -> None:
    _usable(process, areas, place).held = True


def _let_go(process: Process, areas: Areas, place: int) -> None:  # noqa: ARG001
    if place not in areas or not areas[place].held:
        raise RefusedError("KeyError")
    areas[place].held = False


def _close(process: Process, areas: Areas, place: int, *, wipe: bool) -> None:
    area = _find(areas, place)
    if area.held:
        raise RefusedError("BorrowError")
    if area.closed:
        return
    if wipe and not (area.private and area.owner != process.pid):
        process.store(area.address, bytes(area.size))
    _unmap(process, area)


def _state(process: Process, areas: Areas, place: int) -> tuple[int, bool]:  # noqa: ARG001
    area = _find(areas, place)
    return area.size, area.closed


_STEPS: dict[str, Callable[..., object]] = {
    "area_make": _make,
    "area_fileno": _fileno,
    "area_write": _write,
    "area_read": _read,
    "area_hold": _hold,
    "area_let_go": _let_go,
    "area_close": _close,
    "area_state": _state,
}
