"""Random programs over `SecretArea`, compared with the model."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from conformance.choices import (
    BYTES,
    FIRST_FD,
    MOST_PROCESSES,
    WHO,
)
from conformance.machine import Program
from conformance.syscalls import PAGE


PLACES = 3
PLACE = st.integers(0, PLACES - 1)
SIZES = st.sampled_from([1, 100, PAGE, PAGE + 1, 3 * PAGE])
OFFSETS = st.sampled_from([0, 99, PAGE - 4, PAGE])


class AreaRules(Program):
    """What a program can do with areas, and what children see of it."""

    def inspect(self, number: int) -> None:
        """Compare every area and every descriptor of a process."""
        self.both(number, "descriptors", FIRST_FD, FIRST_FD + 8)
        for place in range(PLACES):
            self.both(number, "area_state", place)
            self.both(number, "area_read", place)

    @rule(
        who=WHO,
        place=PLACE,
        size=SIZES,
        fork=st.sampled_from(["share", "private"]),
        keep=st.booleans(),
        cloexec=st.booleans(),
    )
    def make(
        self,
        who: int,
        place: int,
        size: int,
        fork: str,
        *,
        keep: bool,
        cloexec: bool,
    ) -> None:
        """Make an area."""
        number = self.pick(who)
        self.both(
            number,
            "area_make",
            place,
            size,
            fork,
            keep_fd=keep,
            cloexec=cloexec,
        )

    @rule(who=WHO, place=PLACE, offset=OFFSETS, data=BYTES)
    def write(self, who: int, place: int, offset: int, data: bytes) -> None:
        """Write into it."""
        self.both(self.pick(who), "area_write", place, offset, data)

    @rule(who=WHO, place=PLACE)
    def read(self, who: int, place: int) -> None:
        """Read all of it."""
        self.both(self.pick(who), "area_read", place)

    @rule(who=WHO, place=PLACE)
    def fileno(self, who: int, place: int) -> None:
        """Ask for the descriptor."""
        self.both(self.pick(who), "area_fileno", place)

    @rule(who=WHO, place=PLACE, wipe=st.booleans())
    def close(self, who: int, place: int, *, wipe: bool) -> None:
        """Close it."""
        self.both(self.pick(who), "area_close", place, wipe=wipe)

    @precondition(lambda self: len(self.alive) < MOST_PROCESSES)
    @rule(who=WHO)
    def fork(self, who: int) -> None:
        """Fork."""
        number = self.pick(who)
        seen, said = self.live.fork(number), self.model.fork(number)
        self.compare(f"p{number}.fork()", seen, said)
        self.alive.append(said.what)

    @precondition(lambda self: len(self.alive) > 1)
    @rule(who=WHO)
    def kill(self, who: int) -> None:
        """End a process; who shares its pages still has them."""
        number = self.pick(who)
        self.live.kill(number)
        self.model.kill(number)
        self.alive.remove(number)
