"""The article's rows S9 to S12, S14 and S16: the history, run."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from model.helpers import refused
from secretmem.model import Config, Kernel, abi, history, outside
from secretmem.model.config import MEBIBYTE
from secretmem.model.stages import STAGES
from secretmem.model.text import history_lines


def stage_named(start: str) -> Config:
    """Give the machine of the stage whose name starts so."""
    return next(s.config for s in STAGES if s.name.startswith(start))


def hold(kernel: Kernel, flags: int = 0) -> int:
    """Make a process hold one page; its frame."""
    process = kernel.spawn()
    fd = process.memfd_secret(flags)
    process.ftruncate(fd, abi.PAGE_SIZE)
    address = process.mmap(abi.PAGE_SIZE, 3, abi.MAP_SHARED, fd)
    process.store(address, b"x")
    frame = outside.frame_of(process, address)
    assert frame is not None
    return frame


class TestS9ThreeInterfaces:
    """S9: a mapping flag, then a memfd flag, then a call of its own."""

    @pytest.mark.parametrize(
        "name, form",
        [
            ("mapping flag", "mmap(MAP_ANONYMOUS | MAP_PRIVATE"),
            ("memfd flag", "memfd_create(MFD_SECRET), ioctl"),
            ("v1", "memfd_secret, ftruncate, mmap"),
            ("5.14", "memfd_secret, ftruncate, mmap"),
        ],
    )
    def test_each_stage_has_its_interface(self, name: str, form: str) -> None:
        """The stage's own steps give an area that root cannot read."""
        seen = history.observe(stage_named(name))
        assert seen.steps.startswith(form)
        assert (seen.root_reads, seen.direct_map) == ("EFAULT", False)

    def test_the_merged_kernel_knows_no_other_form(self) -> None:
        """The mapping flag is ignored; the memfd flag is refused."""
        process = Kernel().spawn()
        flags = abi.MAP_PRIVATE | abi.MAP_ANONYMOUS | abi.MAP_EXCLUSIVE
        address = process.mmap(abi.PAGE_SIZE, abi.PROT_RW, flags)
        process.store(address, b"in the direct map")
        frame = outside.frame_of(process, address)
        assert frame is not None
        assert b"in the direct map" in outside.kcore(process.kernel, frame)
        make = process.memfd_create
        assert refused(lambda: make("x", abi.MFD_SECRET)) == "EINVAL"

    def test_the_ioctl_chooses_once(self) -> None:
        """Unmapped until a mode is chosen; a second choice is refused."""
        process = Kernel(stage_named("memfd flag")).spawn()
        fd = process.memfd_create("x", abi.MFD_SECRET)
        process.ftruncate(fd, abi.PAGE_SIZE)
        size, shared = abi.PAGE_SIZE, abi.MAP_SHARED
        assert refused(lambda: process.mmap(size, 3, shared, fd)) == "EINVAL"
        process.ioctl(fd, abi.MFD_SECRET_EXCLUSIVE)
        process.mmap(size, 3, shared, fd)
        mode = abi.MFD_SECRET_UNCACHED
        assert refused(lambda: process.ioctl(fd, mode)) == "EINVAL"


class TestS10Reserved:
    """S10: a range reserved at boot, from v2, gone in v5."""

    def test_nothing_is_split_later(self) -> None:
        """All splitting happens at boot; using the range adds none."""
        kernel = Kernel(stage_named("v2"))
        before = kernel.directmap.counters()
        hold(kernel, abi.SECRETMEM_EXCLUSIVE)
        assert kernel.directmap.counters() == before
        assert kernel.directmap.splits_2m == 0

    def test_the_range_is_taken_from_everybody(self) -> None:
        """64 MiB are gone although one page is used; and they run out."""
        kernel = Kernel(stage_named("v2"))
        frame = hold(kernel, abi.SECRETMEM_EXCLUSIVE)
        assert kernel.taken_pages() == 64 * MEBIBYTE // abi.PAGE_SIZE
        assert not kernel.directmap.maps(frame + 1)

    def test_a_freed_page_is_wiped_and_used_again(self) -> None:
        """It goes back to the range, not to the direct map."""
        kernel = Kernel(replace(stage_named("v2"), pool_size=2 * MEBIBYTE))
        frames = set()
        for _ in range(600):
            frames.add(hold(kernel, abi.SECRETMEM_EXCLUSIVE))
            next(iter(kernel.processes.values())).kill()
        assert len(frames) == 512
        assert not any(any(kernel.ram.content(frame)) for frame in frames)

    @pytest.mark.parametrize("name", ["v5", "v17", "5.14", "6.5"])
    def test_later_stages_have_none(self, name: str) -> None:
        """From v5 on nothing is reserved."""
        assert stage_named(name).pool != "reserved"


class TestS11TheFlag:
    """S11: hiding was a flag; the rule since v4."""

    def test_without_the_flag_v1_cannot_be_mapped(self) -> None:
        """A file without a mode is refused by mmap."""
        process = Kernel(stage_named("v1")).spawn()
        fd = process.memfd_secret(0)
        process.ftruncate(fd, abi.PAGE_SIZE)
        size, shared = abi.PAGE_SIZE, abi.MAP_SHARED
        assert refused(lambda: process.mmap(size, 3, shared, fd)) == "EINVAL"

    @pytest.mark.parametrize("name", ["v4", "v8", "5.14"])
    def test_since_v4_there_is_no_flag(self, name: str) -> None:
        """Every area is hidden; the old flag is refused."""
        config = replace(stage_named(name), cmdline="secretmem.enable=1")
        kernel = Kernel(config)
        assert not kernel.directmap.maps(hold(kernel))
        make = kernel.spawn().memfd_secret
        assert refused(lambda: make(abi.SECRETMEM_EXCLUSIVE)) == "EINVAL"


class TestS12Cma:
    """S12: a contiguous-memory area as the pool, v8 to v16."""

    def test_a_chunk_is_moved_free_and_given_back(self) -> None:
        """One page costs 2 MiB and up to 512 moved pages, then comes back."""
        kernel = Kernel(stage_named("v8"))
        frame = hold(kernel)
        assert kernel.taken_pages() == abi.PAGES_PER_2M
        assert kernel.cpu.events["migrate"] == abi.PAGES_PER_2M
        next(iter(kernel.processes.values())).kill()
        assert kernel.taken_pages() == 0
        assert kernel.directmap.maps(frame)
        assert not any(kernel.ram.content(frame))

    def test_no_2m_entry_is_split(self) -> None:
        """Sixteen secrets split no entry of 2 MiB, at 2 MiB each."""
        seen = history.observe(stage_named("v8"))
        merged = history.observe(stage_named("5.14"))
        assert (seen.splits, seen.taken) == (1, 16 * 2 * MEBIBYTE)
        assert merged.splits > 10
        assert merged.taken == 16 * abi.PAGE_SIZE

    @pytest.mark.parametrize("name", ["v17", "5.14", "6.5"])
    def test_gone_in_v17(self, name: str) -> None:
        """No released kernel has a pool."""
        assert stage_named(name).pool == "none"


class TestS14Uncached:
    """S14: uncached mappings: no copies in caches, at a price."""

    def test_no_line_is_cached_while_in_use(self) -> None:
        """Loads and stores leave the caches empty."""
        config = stage_named("v8")
        cached = history.observe(config)
        uncached = history.observe(config, uncached=True)
        assert (cached.cached_lines, uncached.cached_lines) == (1, 0)
        assert uncached.nanoseconds > cached.nanoseconds

    def test_dropped_in_v11(self) -> None:
        """The flag is refused from then on."""
        make = Kernel(stage_named("v11")).spawn().memfd_secret
        assert refused(lambda: make(abi.SECRETMEM_UNCACHED)) == "EINVAL"

    def test_today_lines_stay_until_the_page_goes(self) -> None:
        """In use it is cached; nothing of it is when it is freed."""
        kernel = Kernel()
        frame = hold(kernel)
        assert kernel.cpu.lines_of(frame) == 1
        next(iter(kernel.processes.values())).kill()
        assert kernel.cpu.lines_of(frame) == 0


class TestS16TheStory:
    """S16: nearly two years, many versions, and then a community."""

    def test_it_took_nearly_two_years(self) -> None:
        """October 2019 to August 2021, in order."""
        months = [stage.when for stage in STAGES]
        assert months == sorted(months)
        merged = next(s for s in STAGES if s.name.startswith("5.14"))
        assert (months[0], merged.when) == ("2019-10", "2021-08")

    def test_every_stage_changes_something(self) -> None:
        """No stage is the machine of the one before it."""
        configs = [stage.config for stage in STAGES]
        assert all(a != b for a, b in pairwise(configs))

    def test_hibernation_leaked_until_v13(self) -> None:
        """The image held the secret; since then it is refused."""
        leaks = [
            stage.name.split(",")[0]
            for stage, seen in history.story()
            if seen.hibernation == "image holds the secret"
        ]
        assert leaks[-1] == "v11"
        assert len(leaks) == 8

    def test_the_story_is_told(self) -> None:
        """Text and JSON name every stage and every article row of it."""
        told = "\n".join(history_lines())
        assert max(map(len, told.splitlines())) < 80
        rows = json.loads(json.dumps(history.as_rows()))
        assert [row["name"] for row in rows] == [s.name for s in STAGES]
        assert all(stage.name in told for stage in STAGES)
        assert {"S9", "S10", "S11", "S12", "S13", "S14", "S15"} <= {
            row for stage in STAGES for row in stage.rows.split()
        }
