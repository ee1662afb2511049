"""The article's rows S1 to S8, one by one, in the model."""

from __future__ import annotations

import pytest

from model.helpers import (
    NEEDLE,
    hold_plain,
    hold_secret,
    new_area,
    refused,
)
from secretmem.model import Config, Kernel, SignalError, abi, outside


PAGE = abi.PAGE_SIZE


class TestS1NobodyElseReachesIt:
    """S1: no path through the kernel reaches the memory, for no privilege."""

    def test_root_is_refused(self) -> None:
        """Root's four ways to read memory are refused."""
        held = hold_secret()
        root = held.kernel.spawn(0)
        pid, address = held.process.pid, held.address
        assert (
            refused(lambda: root.process_vm_readv(pid, address, 32)),
            refused(lambda: root.mem_read(pid, address, 32)),
            refused(lambda: root.ptrace_peek(pid, address)),
            refused(lambda: root.process_vm_writev(pid, address, b"x")),
        ) == ("EFAULT", "EIO", "EIO", "EFAULT")

    def test_control_root_reads_ordinary_memory(self) -> None:
        """The same ways work on ordinary memory, or they prove nothing."""
        kernel = Kernel()
        victim, address = hold_plain(kernel)
        root = kernel.spawn(0)
        assert (
            root.process_vm_readv(victim.pid, address, 32),
            root.mem_read(victim.pid, address, 32),
            root.ptrace_peek(victim.pid, address),
        ) == (NEEDLE, NEEDLE, NEEDLE[:8])

    def test_core_swap_and_direct_map_do_not_hold_it(self) -> None:
        """A core file, swap and the direct map hold the control only."""
        held = hold_secret()
        plain, _ = hold_plain(held.kernel)
        held.process.madvise(held.address, PAGE, abi.MADV_DODUMP)
        cores = [outside.core_dump(p) for p in (held.process, plain)]
        in_direct_map = outside.sees(NEEDLE, outside.direct_map(held.kernel))
        assert in_direct_map, "the control is in the direct map"
        plain.kill()
        plain.kernel.ram.take()
        outside.reclaim(held.kernel)
        assert (
            [outside.sees(NEEDLE, core.values()) for core in cores],
            outside.sees(NEEDLE, outside.direct_map(held.kernel)),
            outside.sees(NEEDLE, held.kernel.swap),
        ) == ([False, True], False, False)


class TestS2TheCall:
    """S2: one call, one flag, and the flag ends the area at execve."""

    @pytest.mark.parametrize("flags", [1, 2, abi.O_NONBLOCK, -1 & 0xFFFFFFFF])
    def test_other_flags_are_refused(self, flags: int) -> None:
        """FD_CLOEXEC, which the manual page names, is refused too."""
        process = Kernel().spawn()
        assert refused(lambda: process.memfd_secret(flags)) == "EINVAL"

    @pytest.mark.parametrize(
        "flags, survives", [(0, True), (abi.O_CLOEXEC, False)]
    )
    def test_cloexec(self, flags: int, *, survives: bool) -> None:
        """With O_CLOEXEC the descriptor is gone after exec."""
        process = Kernel().spawn()
        fd = process.memfd_secret(flags)
        process.exec()
        assert (fd in process.fds) is survives


class TestS3Fork:
    """S3: a child has the area; it is shared, not copied."""

    def test_a_childs_store_shows_in_the_parent(self) -> None:
        """Both hold the same page."""
        held = hold_secret()
        child = held.process.fork()
        child.store(held.address, b"from the child")
        assert held.process.load(held.address, 14) == b"from the child"

    def test_control_private_memory_is_copied(self) -> None:
        """An ordinary page is copied at the first store."""
        process, address = hold_plain(Kernel())
        child = process.fork()
        child.store(address, b"from the child")
        assert process.load(address, 32) == NEEDLE

    def test_dontfork_keeps_the_child_out(self) -> None:
        """After MADV_DONTFORK the child has nothing there."""
        held = hold_secret()
        held.process.madvise(held.address, PAGE, abi.MADV_DONTFORK)
        child = held.process.fork()
        with pytest.raises(SignalError, match="SIGSEGV"):
            child.load(held.address, 1)


class TestS4SizeThenMapping:
    """S4: a descriptor without a size; ftruncate once, then mmap shared."""

    def test_no_access_before_a_size(self) -> None:
        """A mapping made before ftruncate gives SIGBUS."""
        process = Kernel().spawn()
        fd = process.memfd_secret()
        address = process.mmap(PAGE, abi.PROT_RW, abi.MAP_SHARED, fd)
        with pytest.raises(SignalError, match="SIGBUS"):
            process.load(address, 1)

    @pytest.mark.parametrize("size", [0, 1, PAGE, 2 * PAGE])
    def test_size_is_set_once(self, size: int) -> None:
        """Any later size is refused, the same one included."""
        process = Kernel().spawn()
        fd = process.memfd_secret()
        process.ftruncate(fd, 0)
        process.ftruncate(fd, PAGE)
        assert refused(lambda: process.ftruncate(fd, size)) == "EINVAL"

    @pytest.mark.parametrize(
        "prot, flags, name",
        [
            (abi.PROT_RW, abi.MAP_PRIVATE, "EINVAL"),
            (abi.PROT_RW | abi.PROT_EXEC, abi.MAP_SHARED, "EPERM"),
            (abi.PROT_RW, abi.MAP_SHARED | abi.MAP_HUGETLB, "EINVAL"),
        ],
    )
    def test_shared_and_never_executable(
        self, prot: int, flags: int, name: str
    ) -> None:
        """Private, executable and huge mappings are refused."""
        process = Kernel().spawn()
        fd = process.memfd_secret()
        assert refused(lambda: process.mmap(PAGE, prot, flags, fd)) == name


class TestS5TheDirectMap:
    """S5: pages leave the direct map, are marked, and come back wiped."""

    def test_kcore_reads_zeros(self) -> None:
        """Through /proc/kcore the page is zeros; the owner has the data."""
        held = hold_secret()
        frame = outside.frame_of(held.process, held.address)
        assert frame is not None
        assert outside.kcore(held.kernel, frame) == bytes(PAGE)
        assert held.process.load(held.address, 32) == NEEDLE

    def test_freed_pages_are_wiped_and_mapped_back(self) -> None:
        """After the last use the page is zeros and in the direct map."""
        held = hold_secret()
        frame = outside.frame_of(held.process, held.address)
        assert frame is not None
        held.process.kill()
        assert held.kernel.directmap.maps(frame)
        assert held.kernel.ram.content(frame) == bytes(PAGE)

    def test_control_freed_ordinary_pages_keep_their_content(self) -> None:
        """An ordinary page still holds the needle after exit."""
        kernel = Kernel()
        process, address = hold_plain(kernel)
        frame = outside.frame_of(process, address)
        assert frame is not None
        process.kill()
        assert outside.kcore(kernel, frame).startswith(NEEDLE)

    def test_the_kernels_image_is_an_exception(self) -> None:
        """A frame freed out of the image is shown by its second mapping."""
        held = hold_secret(Config(image_pages=1), pages=2)
        held.process.store(held.address + PAGE, NEEDLE)
        frames = [
            outside.frame_of(held.process, held.address + at)
            for at in (0, PAGE)
        ]
        shown = [
            NEEDLE in outside.image_mapping(held.kernel, frame or 0)
            for frame in frames
        ]
        hidden = [
            outside.kcore(held.kernel, frame or 0) == bytes(PAGE)
            for frame in frames
        ]
        assert (shown, hidden) == ([True, False], [True, True])

    def test_splits_stay(self) -> None:
        """One page costs a 1 GiB and a 2 MiB entry, for good."""
        kernel = Kernel()
        before = kernel.directmap.counters()
        process = kernel.spawn()
        _, address = new_area(process)
        process.store(address, b"x")
        process.kill()
        after = kernel.directmap.counters()
        change = {name: after[name] - before[name] for name in before}
        assert change == {
            "DirectMap4k": 2048,
            "DirectMap2M": 1048576 - 2048,
            "DirectMap1G": -1048576,
        }


class TestS6WhoElse:
    """S6: that process, plus whoever gets the descriptor or runs in it."""

    def test_the_descriptor_can_be_stolen_until_it_is_closed(self) -> None:
        """pidfd_getfd reaches the secret; after close it does not."""
        held = hold_secret()
        thief = held.kernel.spawn(1000)
        fd = thief.pidfd_getfd(held.process.pid, held.fd)
        address = thief.mmap(PAGE, abi.PROT_READ, abi.MAP_SHARED, fd)
        assert thief.load(address, 32) == NEEDLE
        held.process.close(held.fd)
        pid = held.process.pid
        assert refused(lambda: thief.pidfd_getfd(pid, held.fd)) == "EBADF"

    def test_not_dumpable_stops_the_same_user_and_not_root(self) -> None:
        """PR_SET_DUMPABLE=0 is EPERM for the same uid, nothing for root."""
        held = hold_secret()
        held.process.set_dumpable(dumpable=False)
        same, root = held.kernel.spawn(1000), held.kernel.spawn(0)
        pid = held.process.pid
        assert refused(lambda: same.pidfd_getfd(pid, held.fd)) == "EPERM"
        assert root.pidfd_getfd(pid, held.fd) == 3

    def test_code_in_the_victims_context_reads_it(self) -> None:
        """BPF and perf read what the process could read, and no more."""
        held = hold_secret()
        assert (
            outside.probe_read_user(held.process, held.address, 32) == NEEDLE
        )
        held.process.mprotect(held.address, PAGE, abi.PROT_NONE)
        assert outside.probe_read_user(
            held.process, held.address, 32
        ) == bytes(32)

    def test_the_file_cannot_be_opened_again(self) -> None:
        """/proc/self/fd/N is ENXIO."""
        held = hold_secret(uid=0)
        assert refused(lambda: held.process.reopen(held.fd)) == "ENXIO"


class TestS7Pointers:
    """S7: calls that copy work; calls that pin are refused."""

    def test_copying_calls_work_and_leave_a_copy(self) -> None:
        """What write(2) copied out lies in the direct map."""
        held = hold_secret()
        process, address = held.process, held.address
        reader, writer = process.pipe()
        assert not outside.sees(NEEDLE, outside.direct_map(held.kernel))
        assert process.write(writer, address, len(NEEDLE)) == len(NEEDLE)
        assert outside.sees(NEEDLE, outside.direct_map(held.kernel))
        assert process.read(reader, address + 64, 64) == len(NEEDLE)
        assert process.load(address + 64, len(NEEDLE)) == NEEDLE

    def test_other_copying_calls_work(self) -> None:
        """send, getrandom and private futexes take the pointer."""
        held = hold_secret()
        assert (
            held.process.send(held.address, 8),
            held.process.getrandom(held.address, 8),
            held.process.futex_private(held.address),
        ) == (8, 8, 0)

    def test_pinning_calls_are_refused(self) -> None:
        """Five users of get_user_pages get EFAULT."""
        held = hold_secret()
        process, address = held.process, held.address
        _, pipe = process.pipe()
        disk = process.open_disk(direct=True)
        assert {
            refused(lambda: process.vmsplice(pipe, address, 8)),
            refused(lambda: process.write(disk, address, 512)),
            refused(lambda: process.send_zerocopy(address, 8)),
            refused(lambda: process.register_buffer(address, 8)),
            refused(lambda: process.futex_shared(address)),
        } == {"EFAULT"}

    def test_control_pinning_works_on_ordinary_memory(self) -> None:
        """The same calls succeed on an ordinary page."""
        process, address = hold_plain(Kernel())
        _, pipe = process.pipe()
        disk = process.open_disk(direct=True)
        process.register_buffer(address, 8)
        assert (
            process.vmsplice(pipe, address, 8),
            process.write(disk, address, 512),
            process.send_zerocopy(address, 8),
            process.futex_shared(address),
        ) == (8, 512, 8, 0)


class TestS8Dma:
    """S8: long-term pins are refused; a device that asks nobody is not."""

    def test_no_device_gets_the_page_from_the_kernel(self) -> None:
        """A registered buffer and O_DIRECT are refused, nothing is written."""
        held = hold_secret()
        disk = held.process.open_disk(direct=True)
        assert (
            refused(lambda: held.process.write(disk, held.address, 512))
            == "EFAULT"
        )
        assert (
            refused(lambda: held.process.register_buffer(held.address, 512))
            == "EFAULT"
        )

    def test_who_reads_physical_memory_sees_it(self) -> None:
        """The limit: a hypervisor and a crash kernel see the needle."""
        held = hold_secret()
        assert outside.sees(NEEDLE, outside.hypervisor(held.kernel))
        assert outside.sees(NEEDLE, outside.vmcore(held.kernel))
