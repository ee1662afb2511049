"""The rules of random programs: one system call each."""

from __future__ import annotations

import os

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from conformance.choices import (
    ADVISED,
    BASE,
    BYTES,
    COUNT,
    CUT,
    FD,
    FLAGS,
    INSIDE,
    MOST_EXECS,
    MOST_PROCESSES,
    ODD_PROT,
    PAGES,
    PLACE,
    PROT,
    SIZE,
    SPOT,
    WHO,
)
from conformance.machine import Program
from conformance.syscalls import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PAGE,
)
from conformance.world import Target


class MemoryRules(Program):
    """Files and mappings, loads and stores."""

    @rule(who=WHO, flags=FLAGS)
    def create(self, who: int, flags: int) -> None:
        """Call memfd_secret."""
        self.both(self.pick(who), "memfd_secret", flags)

    @rule(who=WHO, pages=COUNT, page=PLACE, flags=FLAGS, cut=CUT)
    def create_area(
        self, who: int, pages: int, page: int, flags: int, cut: int
    ) -> None:
        """Call memfd_secret, ftruncate and mmap in one go."""
        self.make_area(self.pick(who), pages, page, flags, cut)

    @rule(who=WHO, fd=FD, size=SIZE)
    def resize(self, who: int, fd: int, size: int) -> None:
        """Call ftruncate."""
        number = self.pick(who)
        self.both(number, "ftruncate", self.fd(number, fd), size)

    @rule(
        who=WHO,
        page=PLACE,
        count=COUNT,
        prot=ODD_PROT,
        flags=st.sampled_from(
            [MAP_SHARED, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_PRIVATE, 0]
        ),
        fd=FD,
        offset=st.sampled_from([0, 0, 1, 3]),
    )
    def map_file(
        self,
        who: int,
        page: int,
        count: int,
        prot: int,
        flags: int,
        fd: int,
        offset: int,
    ) -> None:
        """Map a descriptor, over whatever is there."""
        number = self.pick(who)
        source = self.fd(number, fd)
        self.map_at(number, page, count, prot, flags, source, offset)

    @rule(who=WHO, page=PLACE, count=COUNT, prot=PROT)
    def map_plain(self, who: int, page: int, count: int, prot: int) -> None:
        """Map ordinary memory, the control of every attack."""
        flags = MAP_PRIVATE | MAP_ANONYMOUS
        self.map_at(self.pick(who), page, count, prot, flags, -1, 0)

    @rule(who=WHO, spot=SPOT, count=COUNT)
    def unmap(self, who: int, spot: int, count: int) -> None:
        """Call munmap."""
        number = self.pick(who)
        self.both(number, "munmap", self.at(number, spot), count * PAGE)

    @rule(who=WHO, spot=SPOT, count=COUNT, prot=ODD_PROT)
    def protect(self, who: int, spot: int, count: int, prot: int) -> None:
        """Call mprotect."""
        number = self.pick(who)
        where = self.at(number, spot)
        self.both(number, "mprotect", where, count * PAGE, prot)

    @rule(who=WHO, spot=SPOT, count=COUNT, advice=st.sampled_from(ADVISED))
    def advise(self, who: int, spot: int, count: int, advice: int) -> None:
        """Call madvise."""
        number = self.pick(who)
        where = self.at(number, spot)
        self.both(number, "madvise", where, count * PAGE, advice)

    @rule(who=WHO, spot=SPOT, count=COUNT, lock=st.booleans())
    def lock(self, who: int, spot: int, count: int, *, lock: bool) -> None:
        """Call mlock or munlock."""
        name = "mlock" if lock else "munlock"
        number = self.pick(who)
        self.both(number, name, self.at(number, spot), count * PAGE)

    @rule(who=WHO, spot=SPOT, old=COUNT, new=COUNT)
    def resize_mapping(self, who: int, spot: int, old: int, new: int) -> None:
        """Call mremap in place, inside one mapping and inside the arena."""
        number = self.pick(who)
        page = self.page(number, spot)
        if page + new > PAGES or not self.one_mapping(number, page, old):
            return
        self.both(
            number, "mremap", BASE + page * PAGE, old * PAGE, new * PAGE, 0
        )

    @rule(who=WHO, spot=SPOT, count=st.integers(0, 2), to=PLACE)
    def move_mapping(self, who: int, spot: int, count: int, to: int) -> None:
        """Call mremap to another place; length 0 duplicates."""
        number = self.pick(who)
        page = self.page(number, spot)
        size = max(count, 1)
        if to + size > PAGES or not self.one_mapping(number, page, size):
            return
        self.both(
            number,
            "mremap",
            BASE + page * PAGE,
            count * PAGE,
            size * PAGE,
            MREMAP_MAYMOVE | MREMAP_FIXED,
            BASE + to * PAGE,
        )

    @rule(who=WHO, spot=SPOT, inside=INSIDE, data=BYTES)
    def store(self, who: int, spot: int, inside: int, data: bytes) -> None:
        """Write memory; SIGSEGV or SIGBUS ends the process."""
        number = self.pick(who)
        if self.may_die():
            self.both(number, "store", self.at(number, spot) + inside, data)

    @rule(who=WHO, spot=SPOT, inside=INSIDE)
    def load(self, who: int, spot: int, inside: int) -> None:
        """Read memory; SIGSEGV or SIGBUS ends the process."""
        number = self.pick(who)
        if self.may_die():
            self.both(number, "load", self.at(number, spot) + inside, 8)

    @rule(who=WHO, spot=SPOT, inside=INSIDE, data=BYTES)
    def poke(self, who: int, spot: int, inside: int, data: bytes) -> None:
        """Let the kernel copy into memory: EFAULT instead of a signal."""
        number = self.pick(who)
        self.both(number, "poke", self.at(number, spot) + inside, data)

    @rule(who=WHO, spot=SPOT)
    def peek(self, who: int, spot: int) -> None:
        """Let the kernel copy a page out: EFAULT instead of a signal."""
        number = self.pick(who)
        self.both(number, "peek", self.at(number, spot), PAGE)

    @rule(who=WHO, spot=SPOT, shared=st.booleans())
    def futex(self, who: int, spot: int, *, shared: bool) -> None:
        """Wake nobody on a futex in the page."""
        name = "futex_shared" if shared else "futex_private"
        number = self.pick(who)
        self.both(number, name, self.at(number, spot))


class AllRules(MemoryRules):
    """And descriptors, other processes, fork, exec and the end."""

    @rule(
        who=WHO,
        fd=FD,
        spot=SPOT,
        name=st.sampled_from(["read", "write", "pread", "pwrite"]),
    )
    def transfer(self, who: int, fd: int, spot: int, name: str) -> None:
        """Read or write the descriptor itself."""
        number = self.pick(who)
        where = self.at(number, spot)
        self.both(number, name, self.fd(number, fd), where, 8)

    @rule(
        who=WHO,
        fd=FD,
        name=st.sampled_from(["lseek", "fsync", "getfl", "fstat", "reopen"]),
    )
    def ask(self, who: int, fd: int, name: str) -> None:
        """Ask about the descriptor, or try to open it again."""
        number = self.pick(who)
        self.both(number, name, self.fd(number, fd))

    @rule(who=WHO, fd=FD)
    def close_fd(self, who: int, fd: int) -> None:
        """Close a descriptor."""
        number = self.pick(who)
        self.both(number, "close", self.fd(number, fd))

    @rule(who=WHO, fd=FD, keep=st.booleans())
    def copy_fd(self, who: int, fd: int, *, keep: bool) -> None:
        """Duplicate a descriptor, or change whether it survives exec."""
        number = self.pick(who)
        if keep:
            self.both(number, "setfd", self.fd(number, fd), 0)
        else:
            self.both(number, "dup", self.fd(number, fd))

    @rule(who=WHO, taker=WHO, fd=FD)
    def send_fd(self, who: int, taker: int, fd: int) -> None:
        """Send a descriptor over a socket."""
        giver, receiver = self.pick(who), self.pick(taker)
        sent = self.fd(giver, fd)
        seen = self.live.pass_fd(giver, receiver, sent)
        said = self.model.pass_fd(giver, receiver, sent)
        self.compare(f"p{giver}.send_fd({sent})", seen, said)

    @rule(who=WHO, victim=WHO, fd=FD)
    def steal_fd(self, who: int, victim: int, fd: int) -> None:
        """Call pidfd_getfd."""
        target = self.pick(victim)
        stolen = self.fd(target, fd)
        self.both(self.pick(who), "pidfd_getfd", Target(target), stolen)

    @rule(
        who=WHO,
        victim=WHO,
        spot=SPOT,
        name=st.sampled_from(["process_vm_readv", "mem_read"]),
    )
    def spy(self, who: int, victim: int, spot: int, name: str) -> None:
        """Read another process's memory."""
        target = self.pick(victim)
        where = self.at(target, spot)
        self.both(self.pick(who), name, Target(target), where, 16)

    @rule(
        who=WHO,
        victim=WHO,
        spot=SPOT,
        name=st.sampled_from(["process_vm_writev", "mem_write"]),
        data=BYTES,
    )
    def tamper(
        self, who: int, victim: int, spot: int, name: str, data: bytes
    ) -> None:
        """Write another process's memory."""
        target = self.pick(victim)
        where = self.at(target, spot)
        self.both(self.pick(who), name, Target(target), where, data)

    @rule(who=WHO, dumpable=st.booleans())
    def harden(self, who: int, *, dumpable: bool) -> None:
        """PR_SET_DUMPABLE."""
        self.both(self.pick(who), "set_dumpable", dumpable=dumpable)

    @precondition(lambda self: len(self.alive) < MOST_PROCESSES)
    @rule(who=WHO)
    def fork(self, who: int) -> None:
        """Fork."""
        number = self.pick(who)
        seen, said = self.live.fork(number), self.model.fork(number)
        self.compare(f"p{number}.fork()", seen, said)
        self.alive.append(said.what)

    @precondition(lambda self: self.execs < MOST_EXECS)
    @rule(who=WHO)
    def exec(self, who: int) -> None:
        """Become another program, if the user may run this Python."""
        number = self.pick(who)
        if self.model.processes[number].uid != os.getuid():
            return
        self.execs += 1
        seen, said = self.live.exec(number), self.model.exec(number)
        self.compare(f"p{number}.exec()", seen, said)

    @precondition(lambda self: len(self.alive) > 1)
    @rule(who=WHO)
    def kill(self, who: int) -> None:
        """SIGKILL."""
        number = self.pick(who)
        self.live.kill(number)
        self.model.kill(number)
        self.alive.remove(number)
