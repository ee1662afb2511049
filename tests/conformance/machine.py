"""
Random programs of system calls, run in two worlds that must agree.

Each rule (see `rules`) makes one process do one call in both worlds and
compares value, errno or signal. At the end every page, flag, descriptor and
counter of every living process is compared as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from conformance.choices import BASE, FIRST_FD, MOSTLY, PAGES, USERS
from conformance.syscalls import (
    MAP_FIXED,
    MAP_SHARED,
    O_CLOEXEC,
    PAGE,
    PROT_RW,
)


if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.world import ModelWorld, Outcome, World


class DifferenceError(AssertionError):
    """The two worlds disagree."""


class Program(RuleBasedStateMachine):
    """
    One random program; a subclass says which worlds.

    Class attributes:
        make_worlds: gives the world under test and the reference.

    """

    make_worlds: Callable[[], tuple[World, ModelWorld]]

    def __init__(self) -> None:
        """Start both worlds, without a process."""
        super().__init__()
        self.live, self.model = type(self).make_worlds()
        self.alive: list[int] = []
        self.agree = True
        self.execs = 0

    @initialize(
        users=st.sampled_from(USERS),
        pages=st.sampled_from([8, 5, 3, 0]),
        area=st.integers(0, 3),
    )
    def start(self, users: tuple[int, int], pages: int, area: int) -> None:
        """Start two processes: of root, of a user, of two users."""
        if os.getuid():
            users = (os.getuid(), os.getuid())
        for uid in users:
            number = self.live.spawn(uid, pages * PAGE)
            assert self.model.spawn(uid, pages * PAGE) == number
            self.alive.append(number)
        if area:
            self.make_area(0, area, 0, O_CLOEXEC, 0)

    def teardown(self) -> None:
        """Compare everything that can be seen, then end."""
        try:
            for number in list(self.alive) if self.agree else ():
                self.inspect(number)
        finally:
            self.live.close()

    def inspect(self, number: int) -> None:
        """Compare one process's mappings, bytes, descriptors, VmLck."""
        self.both(number, "layout", BASE, PAGES)
        self.both(number, "vm_lck")
        self.both(number, "contents", BASE, PAGES)
        self.both(number, "descriptors", FIRST_FD, FIRST_FD + 8)

    def both(
        self, who: int, name: str, *args: object, **named: object
    ) -> Outcome:
        """Do one call in both worlds; the outcomes must be equal."""
        seen = self.live.do(who, name, *args, **named)
        said = self.model.do(who, name, *args, **named)
        self.compare(f"p{who}.{name}{args}", seen, said)
        if said.kind == "killed":
            self.alive.remove(who)
        return said

    def compare(self, what: str, seen: Outcome, said: Outcome) -> None:
        """Require one outcome."""
        if seen != said:
            self.agree = False
            message = f"{what}: seen {seen[1]!r}, model says {said[1]!r}"
            raise DifferenceError(message)

    def page(self, number: int, spot: int) -> int:
        """Choose a page of the arena, mostly one that is mapped."""
        start = BASE // PAGE
        vmas = self.model.processes[number].mm.vmas.over(start, start + PAGES)
        mapped = [
            page - start for vma in vmas for page in range(vma.start, vma.end)
        ]
        inside = [page for page in mapped if 0 <= page < PAGES]
        if spot < MOSTLY and inside:
            return inside[spot % len(inside)]
        return spot % PAGES

    def fd(self, number: int, spot: int) -> int:
        """Choose a descriptor, mostly one that is open."""
        known = sorted(self.model.processes[number].fds)
        if spot < MOSTLY and known:
            return known[spot % len(known)]
        return FIRST_FD + spot % 4

    def at(self, number: int, spot: int) -> int:
        """Choose the address of a page."""
        return BASE + self.page(number, spot) * PAGE

    def pick(self, who: int) -> int:
        """Choose a living process; the rules keep one alive."""
        return self.alive[who % len(self.alive)]

    def make_area(
        self, number: int, pages: int, page: int, flags: int, cut: int
    ) -> None:
        """memfd_secret, ftruncate and mmap in one go."""
        made = self.both(number, "memfd_secret", flags)
        if made.kind != "value":
            return
        self.both(number, "ftruncate", made.what, pages * PAGE - cut)
        self.map_at(number, page, pages, PROT_RW, MAP_SHARED, made.what, 0)

    def map_at(
        self,
        number: int,
        page: int,
        count: int,
        prot: int,
        flags: int,
        fd: int,
        offset: int,
    ) -> None:
        """Map at a page of the arena."""
        self.both(
            number,
            "mmap",
            min(count, PAGES - page) * PAGE,
            prot,
            flags | MAP_FIXED,
            fd,
            offset * PAGE,
            BASE + page * PAGE,
        )

    def one_mapping(self, number: int, page: int, count: int) -> bool:
        """Tell whether one mapping of the model holds all of the range."""
        start = BASE // PAGE + page
        vma = self.model.processes[number].mm.vmas.at(start)
        return vma is not None and start + count <= vma.end

    def may_die(self) -> bool:
        """Tell whether another process would go on."""
        return len(self.alive) > 1
