"""The planner: what N secrets do to a machine, in words and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from secretmem.model import cost, live, options, plot, text
from secretmem.model.__main__ import main
from secretmem.model.config import GIBIBYTE, MEBIBYTE
from secretmem.model.plan import (
    ARENA,
    FILE_EACH,
    RESERVED,
    Question,
    arena_pages,
    expected_splits,
    plan,
    splits_at,
)


if TYPE_CHECKING:
    from pathlib import Path


QUESTION = Question(secrets=10_000, size=32, memory=64 * GIBIBYTE)


class TestAnswers:
    """The three ways, side by side."""

    def test_a_file_each_takes_a_page_each(self) -> None:
        """10,000 secrets lock 10,000 pages and flush as often."""
        each = plan(QUESTION)[0]
        assert (each.way, each.files) == (FILE_EACH, 10_000)
        assert each.locked == 10_000 * 4096
        assert each.flushes == 10_000

    def test_the_arena_packs(self) -> None:
        """At most 64 locked bytes for a 32-byte secret, areas that double."""
        arena = plan(QUESTION)[1]
        assert arena.way == ARENA
        assert arena.locked <= 64 * QUESTION.secrets
        assert arena_pages(QUESTION) == 4 + 8 + 16 + 32 + 64

    def test_a_reserved_range_splits_nothing(self) -> None:
        """Whole 2 MiB, one flush."""
        reserved = plan(QUESTION)[2]
        assert reserved.way == RESERVED
        assert reserved.splits == (0, 0, 0)
        assert reserved.locked % (2 * MEBIBYTE) == 0

    @pytest.mark.parametrize("secrets", [1, 100, 100_000])
    def test_expectation_lies_between_the_bounds(self, secrets: int) -> None:
        """Least, expected, most, for every way."""
        for answer in plan(replace(QUESTION, secrets=secrets)):
            low, expected, high = answer.splits
            assert low <= expected <= high

    def test_interrupts_grow_with_processors(self) -> None:
        """Each flush interrupts all but one."""
        many = plan(replace(QUESTION, cpus=64))[0]
        assert many.interrupts == 63 * many.flushes

    def test_large_secrets_have_whole_pages(self) -> None:
        """A secret over the largest slot rounds up to pages."""
        large = replace(QUESTION, secrets=10, size=5000)
        assert plan(large)[0].locked == 10 * 2 * 4096
        assert arena_pages(large) >= 20

    def test_more_than_memory_holds(self) -> None:
        """Where memory ends, every region is split and the share is all."""
        tiny = Question(secrets=100_000, size=4096, memory=64 * MEBIBYTE)
        each = plan(tiny)[0]
        assert each.share_4k == 1.0
        assert each.splits[1] <= 64 // 2 or each.splits[0] > 32


class TestSplits:
    """How many entries a number of pages splits."""

    def test_a_fresh_machine_splits_one_in_512(self) -> None:
        """Without scattered pieces, pages lie side by side."""
        fresh = replace(QUESTION, fragments=0)
        assert splits_at(fresh, [1, 512, 513]) == [(1, 1), (512, 1), (513, 2)]

    def test_a_used_machine_splits_at_once(self) -> None:
        """Scattered pieces come first, each in a region of its own."""
        used = replace(QUESTION, fragments=1000)
        ((_, splits),) = splits_at(used, [64])
        assert splits > 20

    def test_expectation_from_free_blocks(self) -> None:
        """Small blocks are used up first; split memory costs nothing."""
        blocks = [(1, 10), (2, 5), (512, 100)]
        assert expected_splits(10, blocks, 1.0) == 10
        assert expected_splits(20, blocks, 1.0) == 15
        assert expected_splits(532, blocks, 1.0) == 16
        assert expected_splits(20, blocks, 0.0) == 0


class TestCosts:
    """The published figures and what follows from them."""

    def test_no_large_entries_costs_little(self) -> None:
        """A build took 0.1 % less to 3.8 % more time."""
        low, high = cost.slowdown_range()
        assert (round(low, 3), round(high, 3)) == (-0.001, 0.038)
        assert cost.expected_slowdown(0.0) == (0, 0)
        assert cost.expected_slowdown(1.0) == (low, high)

    def test_events_are_priced(self) -> None:
        """A first touch is a fault and a flush; unknown events are free."""
        assert cost.price({"fault": 1, "flush": 1}) == 6000
        assert cost.price({"coffee": 3}) == 0


MEMINFO = """MemTotal: 24000000 kB
DirectMap4k:     2048000 kB
DirectMap2M:     2048000 kB
DirectMap1G:    20480000 kB
"""
BUDDYINFO = """Node 0, zone      DMA      0      1      0
Node 0, zone   Normal     12      7     40
"""
PAGETYPEINFO = """Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2
Node    0, zone   Normal, type    Unmovable      3      1      4
Node    0, zone   Normal, type      Movable     72      8      0

Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic
Node 0, zone   Normal         2000         5000            3            0
Node 0, zone   Device            0            0            0            0
"""


class TestLive:
    """Reading a machine's counters."""

    def test_counters(self) -> None:
        """The three DirectMap lines, in KiB."""
        assert live.counters(MEMINFO) == {
            "DirectMap4k": 2_048_000,
            "DirectMap2M": 2_048_000,
            "DirectMap1G": 20_480_000,
        }

    def test_a_machine_without_counters_says_so(self) -> None:
        """No DirectMap line: the comparison is not available."""
        with pytest.raises(live.UnavailableError, match="DirectMap"):
            live.counters("MemTotal: 1 kB\n")

    def test_free_blocks_of_the_largest_zone(self) -> None:
        """Blocks of 1, 2 and 4 pages."""
        assert live.free_blocks(BUDDYINFO) == [(1, 12), (2, 7), (4, 40)]

    def test_unmovable_blocks_for_root(self) -> None:
        """Half of the unmovable blocks are split by the counters."""
        found = live.supply(live.counters(MEMINFO), PAGETYPEINFO)
        assert found.blocks == [(1, 3), (2, 1), (4, 4)]
        assert found.share_large == 0.5

    @pytest.mark.needs_secretmem
    def test_a_small_probe(self) -> None:
        """One page splits at least no negative number of entries."""
        found = live.compare(1)
        assert found.pages == 1
        assert 0 <= found.expected <= 1
        assert found.difference == found.measured - found.expected


class TestWords:
    """Sizes, tables, the page."""

    @pytest.mark.parametrize(
        "words, size",
        [
            ("32", 32),
            ("4K", 4096),
            ("64G", 64 * GIBIBYTE),
            ("1 GiB", GIBIBYTE),
            ("2mb", 2 * MEBIBYTE),
        ],
    )
    def test_sizes(self, words: str, size: int) -> None:
        """As people write them."""
        assert options.size(words) == size

    @pytest.mark.parametrize("words", ["", "0", "-1", "4X", "K", "1.5G"])
    def test_other_words_are_refused(self, words: str) -> None:
        """With an example of the right form."""
        with pytest.raises(ValueError, match="64G"):
            options.size(words)

    def test_texts(self) -> None:
        """Units that leave a number of at least 1."""
        assert text.size_text(496 << 10) == "496 KiB"
        assert text.size_text(12) == "12 B"
        assert text.time_text(744_000) == "744 us"
        assert text.time_text(3) == "3 ns"

    def test_the_page_stands_alone(self) -> None:
        """Well-formed drawings, three lines each, nothing from elsewhere."""
        page = plot.page(QUESTION, [live.Comparison(16, 10.5, 14)])
        drawings = [
            ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>")  # noqa: S314 our own text
            for part in page.split("<svg")[1:]
        ]
        lines = [len(d.findall("polyline")) for d in drawings]
        assert lines.count(3) == 2
        assert "http" not in page
        assert "<script" not in page
        assert "+3.5" in page

    def test_steps_of_the_drawing(self) -> None:
        """1, 2, 5, 10 and so on, and the number asked for."""
        assert plot.steps(1) == [1]
        assert plot.steps(30) == [1, 2, 5, 10, 20, 30]


class TestProgram:
    """`python -m secretmem.model`."""

    def test_history(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It tells the story."""
        assert main(["history"]) == 0
        assert "v17, off by default" in capsys.readouterr().out

    def test_history_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And as data."""
        assert main(["history", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["when"] == "2019-10"

    def test_plan(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It prints the three ways."""
        arguments = ["plan", "--secrets", "10", "--memory", "1G"]
        assert main(arguments) == 0
        out = capsys.readouterr().out
        assert all(way in out for way in (FILE_EACH, ARENA, RESERVED))

    def test_plan_files(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """--html writes a page, --json prints data."""
        page = tmp_path / "plan.html"
        main(["plan", "--secrets", "10", "--json", "--html", str(page)])
        data = json.loads(capsys.readouterr().out)
        assert data["question"]["secrets"] == 10
        assert [each["way"] for each in data["answers"]] == [
            FILE_EACH,
            ARENA,
            RESERVED,
        ]
        assert page.read_text("utf-8").startswith("<!doctype html>")

    @pytest.mark.parametrize(
        "arguments",
        [["plan", "--size", "0"], ["plan", "--memory", "1M"], [], ["x"]],
    )
    def test_usage(self, arguments: list[str]) -> None:
        """Wrong use is exit code 2."""
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
