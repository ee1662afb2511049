"""A live process that uses `secretmem.SecretArea`, in numbered places."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import secretmem
from conformance.actor import Actor
from secretmem import _limits


if TYPE_CHECKING:
    from typing import Literal


SOURCE = str(Path(secretmem.__file__).parents[1])

SETUP = (
    f"sys.path.insert(0, {SOURCE!r})",
    "from conformance import area_actor",
    "area_actor.name_nobody()",
    "worker.Worker.actor_class = area_actor.AreaActor",
)
"""What a nursery runs first, so that its workers are area actors."""

# A worker that has lost its user can import nothing any more; and the
# extension is loaded once here, not once in each worker.
importlib.import_module("secretmem._native")
AREA = secretmem.SecretArea
ERRORS = (secretmem.LimitError, secretmem.ForkError, secretmem.BorrowError)


def _nobody(uid: int, proc: str = "/proc") -> tuple[list[_limits.Holder], int]:
    del uid, proc
    return [], 0


def name_nobody() -> None:
    """
    Let this process's LimitErrors name no holders.

    All of /proc is read for them; random programs meet that error thousands
    of times and compare its type only.
    """
    _limits.scan = _nobody


class AreaActor(Actor):
    """A process with areas; a forked child has its parent's."""

    def __init__(self) -> None:
        """Start with no area."""
        self.areas: dict[int, secretmem.SecretArea] = {}
        self.views: dict[int, memoryview] = {}

    def area_make(
        self,
        place: int,
        size: int,
        fork: Literal["share", "private"],
        *,
        keep_fd: bool,
        cloexec: bool,
    ) -> int:
        """Make an area, in place of an older one; its length."""
        area = AREA(size, fork=fork, keep_fd=keep_fd, cloexec=cloexec)
        self.areas[place] = area
        return len(area)

    def area_fileno(self, place: int) -> int:
        """Give the kept descriptor."""
        return self.areas[place].fileno()

    def area_write(self, place: int, offset: int, data: bytes) -> None:
        """Write through a memoryview."""
        with memoryview(self.areas[place]) as view:
            view[offset : offset + len(data)] = data

    def area_read(self, place: int) -> bytes:
        """Read all of it through a memoryview; trailing zeros left out."""
        with memoryview(self.areas[place]) as view:
            return bytes(view).rstrip(b"\0")

    def area_hold(self, place: int) -> None:
        """Keep a memoryview."""
        self.views[place] = memoryview(self.areas[place])

    def area_let_go(self, place: int) -> None:
        """Release the memoryview that was kept."""
        self.views.pop(place).release()

    def area_close(self, place: int, *, wipe: bool) -> None:
        """Close it."""
        self.areas[place].close(wipe=wipe)

    def area_state(self, place: int) -> tuple[int, bool]:
        """Give length and whether it is closed."""
        return len(self.areas[place]), self.areas[place].closed
