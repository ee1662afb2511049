"""Rules of the model that the article has no row for."""

from __future__ import annotations

import errno

import pytest

from model.helpers import (
    NEEDLE,
    anonymous,
    hold_plain,
    hold_secret,
    new_area,
    refused,
)
from secretmem.model import Config, Kernel, Process, SignalError, abi, outside
from secretmem.model.directmap import DirectMap
from secretmem.model.task import KILL


PAGE = abi.PAGE_SIZE


def touched(process: Process, pages: int) -> tuple[int, str | None]:
    """Touch a new area page by page: how many, and the errno that stopped."""
    _, address = new_area(process, pages)
    for page in range(pages):
        try:
            process.getrandom(address + page * PAGE, 1)
        except OSError as error:
            return page, errno.errorcode[error.errno or 0]
    return pages, None


class TestDirectMap:
    """Entries, splits, counters."""

    def test_without_1g_entries(self) -> None:
        """An older processor starts with 2 MiB entries."""
        machine = DirectMap(1 << 18, gigabyte_entries=False)
        machine.take_out(0)
        assert (machine.splits_1g, machine.splits_2m) == (0, 1)
        assert machine.counters()["DirectMap1G"] == 0

    def test_counters_add_up(self) -> None:
        """Whatever is split, all of memory is mapped or counted."""
        machine = DirectMap((1 << 18) + 700)
        for page in (0, 1, 5000, 200_000, (1 << 18) + 699):
            machine.take_out(page)
        assert sum(machine.counters().values()) == ((1 << 18) + 700) * 4

    def test_a_range_is_one_entry(self) -> None:
        """2 MiB taken as a whole splits no 2 MiB entry."""
        machine = DirectMap(1 << 18)
        machine.take_out_2m(512)
        assert not machine.maps(512)
        assert not machine.maps(1023)
        assert machine.maps(1024)
        machine.put_back_2m(512)
        assert machine.maps(512)
        assert machine.splits_2m == 0

    def test_no_flush_when_a_page_comes_back(self) -> None:
        """Mapping back needs none: there is nothing stale to forget."""
        held = hold_secret()
        before = held.kernel.directmap.flushes
        held.process.kill()
        assert held.kernel.directmap.flushes == before == 1


class TestSwap:
    """What reaches the swap space."""

    def test_locked_memory_stays_until_a_child_writes(self) -> None:
        """A forked child's copy of locked memory is not locked."""
        kernel = Kernel()
        process = kernel.spawn()
        address = anonymous(process)
        process.mlock(address, PAGE)
        process.store(address, NEEDLE)
        outside.reclaim(kernel)
        assert not outside.sees(NEEDLE, kernel.swap)
        child = process.fork()
        child.store(address + 100, b"a copy of its own")
        outside.reclaim(kernel)
        assert outside.sees(NEEDLE, kernel.swap)

    def test_it_comes_back(self) -> None:
        """A page that was swapped out is read in again; the slot stays."""
        process, address = hold_plain(Kernel())
        process.madvise(address, PAGE, abi.MADV_PAGEOUT)
        assert outside.frame_of(process, address) is None
        assert process.load(address, 32) == NEEDLE
        assert outside.sees(NEEDLE, process.kernel.swap)

    def test_secret_pages_stay_in_both_regimes(self) -> None:
        """Also where they are not marked as locked."""
        for accounting in ("process", "user"):
            held = hold_secret(Config(accounting=accounting))
            outside.reclaim(held.kernel)
            frame = outside.frame_of(held.process, held.address)
            assert frame is not None
            assert held.kernel.swap == []


class TestLimits:
    """RLIMIT_MEMLOCK in both regimes."""

    def test_per_process_a_fork_gets_more(self) -> None:
        """A child maps a full limit again: nobody pays for its parent's."""
        process = Kernel().spawn(1000, memlock=4 * PAGE)
        new_area(process, 4)
        child = process.fork()
        new_area(child, 4)
        assert (process.vm_lck(), child.vm_lck()) == (4 * PAGE, 4 * PAGE)

    def test_per_user_all_processes_share(self) -> None:
        """The second process of the user gets what the first one left."""
        kernel = Kernel(Config(accounting="user"))
        first = kernel.spawn(1000, memlock=8 * PAGE)
        second = kernel.spawn(1000, memlock=8 * PAGE)
        stranger = kernel.spawn(1001, memlock=8 * PAGE)
        assert [
            touched(process, pages)
            for process, pages in ((first, 6), (second, 8), (stranger, 8))
        ] == [(6, None), (2, "EFAULT"), (8, None)]

    def test_per_user_a_touch_is_sigbus(self) -> None:
        """The process's own touch over the limit ends it; root's too."""
        kernel = Kernel(Config(accounting="user"))
        root = kernel.spawn(0, memlock=0)
        _, address = new_area(root)
        with pytest.raises(SignalError, match="SIGBUS"):
            root.store(address, b"x")
        assert not root.alive

    def test_released_pages_are_given_back(self) -> None:
        """The charge goes with the file."""
        kernel = Kernel(Config(accounting="user"))
        process = kernel.spawn(1000, memlock=PAGE)
        for _ in range(3):
            fd, address = new_area(process)
            process.store(address, b"x")
            process.munmap(address, PAGE)
            process.close(fd)
        assert kernel.user_locked[1000] == 0


class TestSeccomp:
    """A filter that stands in front of the call."""

    def test_an_errno(self) -> None:
        """EPERM, as old container runtimes answer."""
        process = Kernel().spawn()
        process.seccomp["memfd_secret"] = errno.EPERM
        assert refused(process.memfd_secret) == "EPERM"

    def test_a_kill(self) -> None:
        """The probe itself ends the process with SIGSYS."""
        process = Kernel().spawn()
        process.seccomp["memfd_secret"] = KILL
        with pytest.raises(SignalError, match="SIGSYS"):
            process.memfd_secret()
        assert process.signal == abi.SIGSYS

    def test_children_inherit_it(self) -> None:
        """A filter cannot be left by forking."""
        process = Kernel().spawn()
        process.seccomp["memfd_secret"] = errno.EPERM
        assert refused(process.fork().memfd_secret) == "EPERM"


class TestLife:
    """Processes and what ends with them."""

    def test_a_dead_process_is_a_mistake_to_use(self) -> None:
        """Not an errno: the caller's bug."""
        process = Kernel().spawn()
        process.exit()
        with pytest.raises(RuntimeError, match="has ended"):
            process.memfd_secret()

    def test_pages_live_as_long_as_anybody_holds_them(self) -> None:
        """Descriptor in flight, mapping, child: the last one decides."""
        held = hold_secret()
        other = held.kernel.spawn(1000)
        fd = held.process.send_fd(other, held.fd)
        child = held.process.fork()
        held.process.kill()
        child.close(held.fd)
        other.close(fd)
        assert held.kernel.secret_files == 1
        assert child.load(held.address, 32) == NEEDLE
        child.exit()
        assert held.kernel.secret_files == 0

    def test_out_of_memory_kills(self) -> None:
        """When no page is left, the first touch ends in SIGKILL."""
        kernel = Kernel(Config(memory=16 << 20))
        process = kernel.spawn()
        size = 32 << 20
        fd = process.memfd_secret()
        process.ftruncate(fd, size)
        address = process.mmap(size, abi.PROT_RW, abi.MAP_SHARED, fd)
        with pytest.raises(SignalError, match="SIGKILL"):
            process.getrandom(address, size)
        assert kernel.secret_files == 0

    def test_root_without_its_capability_is_refused(self) -> None:
        """What lets root read others is CAP_SYS_PTRACE."""
        process, address = hold_plain(Kernel())
        weak = process.kernel.spawn(0, caps=())
        pid = process.pid
        assert (
            refused(lambda: weak.process_vm_readv(pid, address, 1)) == "EPERM"
        )
        assert refused(lambda: weak.process_vm_readv(1, address, 1)) == "ESRCH"
