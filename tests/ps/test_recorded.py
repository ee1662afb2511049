"""``secretmem ps`` on recorded machines."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from secretmem.ps import DirectMap, Hibernation, Proc, look
from secretmem.ps.machine import direct_map, hibernation
from secretmem.ps.report import _size, _user
from support import trees


def test_holders_of_a_recorded_machine(tmp_path: Path) -> None:
    """One process has closed its descriptor, one has nothing else."""
    trees.unpack("debian-6.12.117", tmp_path)
    report = look(Proc(str(tmp_path)))
    area, descriptor = report.census.processes
    assert (area.pid, area.mapped, area.resident) == (185, 40960, 8192)
    assert (area.share, area.descriptors, area.uid) == (8192, 1, 0)
    assert (descriptor.pid, descriptor.mapped) == (186, 0)
    assert descriptor.descriptors == 1
    assert report.census.seen == 3  # /proc/1 is recorded too
    assert report.hibernation == Hibernation(supported=True, allowed=False)
    lines = list(report.lines())
    assert any("refused while these hold" in line for line in lines)
    assert any("185, 186" in line for line in lines)


def test_start_of_a_process_bounds_its_memory(tmp_path: Path) -> None:
    """The kernel does not show map_files to everybody."""
    trees.unpack("debian-6.12.117", tmp_path)
    area = look(Proc(str(tmp_path))).census.processes[0]
    assert area.since_of == "process"
    assert area.since is not None
    boot = float(
        (tmp_path / "proc/stat").read_text().split()[1],
    )
    assert boot < area.since < boot + 60


def test_name_with_brackets_and_spaces(tmp_path: Path) -> None:
    """The fields of stat are counted from the last bracket."""
    fields = " ".join(["S", *["0"] * 18, "500", *["0"] * 30])
    files = {
        "proc/stat": "btime 1000\n",
        "proc/7/stat": f"7 (a) b) (c) {fields}\n",
    }
    trees.write(tmp_path, files)
    started = Proc(str(tmp_path)).started(7)
    assert started is not None
    assert started > 1000


MAPS = "7000-9000 {flags} 00000000 {device} 41    /secretmem (deleted)\n"


@pytest.mark.parametrize(
    "flags, device, count",
    [
        ("rw-s", "00:0e", 1),
        ("---s", "00:0e", 1),
        ("rw-p", "00:0e", 0),
        ("rw-s", "fe:01", 0),
    ],
)
def test_file_that_only_had_the_name(
    tmp_path: Path, flags: str, device: str, count: int
) -> None:
    """A deleted file /secretmem of a disk, or a private map, is not one."""
    trees.write(
        tmp_path, {"proc/5/maps": MAPS.format(flags=flags, device=device)}
    )
    found = Proc(str(tmp_path)).mappings(5)
    assert len(found) == count
    assert all(each.size == 0x2000 for each in found)
    assert all(each.resident is None for each in found)  # no smaps


def test_mappings_of_one_file_count_once(tmp_path: Path) -> None:
    """A window is a second mapping of the same pages."""
    one = MAPS.format(flags="rw-s", device="00:0e")
    trees.write(tmp_path, {"proc/5/maps": one + one.replace("7000", "8000")})
    census = look(Proc(str(tmp_path))).census
    assert census.files == 1
    assert census.mapped == 0x3000
    assert census.resident is None
    report = look(Proc(str(tmp_path)))
    assert any("? in RAM" in line for line in report.lines())


@pytest.mark.parametrize(
    "state, disk, expected",
    [
        (None, None, Hibernation(None, None)),
        ("freeze mem\n", None, Hibernation(supported=False, allowed=False)),
        (
            "freeze mem\n",
            "[disabled]\n",
            Hibernation(supported=True, allowed=False),
        ),
        (
            "freeze mem disk\n",
            "[platform]\n",
            Hibernation(supported=True, allowed=True),
        ),
    ],
)
def test_hibernation(
    tmp_path: Path, state: str, disk: str, expected: Hibernation
) -> None:
    """The kernel drops the word "disk" while it refuses."""
    trees.write(tmp_path, {"sys/power/state": state, "sys/power/disk": disk})
    assert hibernation(Proc(str(tmp_path))) == expected


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "/sys/power is not readable"),
        ({"sys/power/state": "mem\n"}, "does not hibernate"),
        (
            {"sys/power/state": "mem disk\n", "sys/power/disk": "x\n"},
            "Hibernation: allowed.",
        ),
        (
            {"sys/power/state": "mem\n", "sys/power/disk": "[disabled]\n"},
            "no holder was seen",
        ),
    ],
)
def test_hibernation_in_words(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    """A refusal without a visible holder is not explained away."""
    trees.write(tmp_path, {"proc/1/maps": "", **files})
    lines = list(look(Proc(str(tmp_path))).lines())
    assert lines[0] == "No secret memory was seen."
    assert any(words in line for line in lines)


def test_direct_map_of_a_recorded_machine(tmp_path: Path) -> None:
    """Kilobytes become bytes; counters are named by entry size."""
    trees.unpack("debian-6.12.117", tmp_path)
    found = direct_map(Proc(str(tmp_path)))
    assert isinstance(found, DirectMap)
    assert found.sizes["2M"] == 2066432 * 1024
    assert found.splits == {"2M": 3, "1G": 0}
    assert found.collapses == {}


def test_direct_map_that_is_not_shown(tmp_path: Path) -> None:
    """Only x86 prints it."""
    (tmp_path / "proc/1").mkdir(parents=True)
    report = look(Proc(str(tmp_path)))
    assert report.direct_map is None
    assert report.as_dict()["direct_map"] is None
    assert any("not shown" in line for line in report.lines())


def test_unreadable_processes_are_counted(tmp_path: Path) -> None:
    """Text and JSON both say what was not seen."""

    class Closed(Proc):
        def mappings(self, pid: int) -> list[object]:  # type: ignore[override]  # always raises
            if pid == 3:
                raise ProcessLookupError
            raise PermissionError

    for pid in (1, 2, 3):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
    report = look(Closed(str(tmp_path)))
    assert report.census.hidden == [1, 2]
    assert report.census.hidden_descriptors == [1, 2]
    last = list(report.lines())[-1]
    assert last.startswith("Not readable: memory of 2 and descriptors of 2")
    json.dumps(report.as_dict())


def test_without_proc_it_fails(tmp_path: Path) -> None:
    """An empty list would say that nobody holds any."""
    with pytest.raises(FileNotFoundError):
        look(Proc(str(tmp_path)))


@pytest.mark.parametrize(
    "size, text",
    [
        (None, "?"),
        (0, "0 B"),
        (512, "512 B"),
        (4096, "4 KiB"),
        (6144, "6 KiB"),
        (1536, "1.5 KiB"),
        (40960, "40 KiB"),
        (3 << 20, "3 MiB"),
        (5 << 30, "5 GiB"),
        (5 << 40, "5120 GiB"),
    ],
)
def test_sizes_for_people(size: int | None, text: str) -> None:
    """Short, and never rounded to nothing."""
    assert _size(size) == text


def test_odd_lines_are_passed_over(tmp_path: Path) -> None:
    """Lines without a number are no counters; no btime, no start."""
    files = {
        "proc/meminfo": "DirectMap4k:  8 kB\nodd\nHuge: none\n",
        "proc/stat": "cpu 0\n",
        "proc/7/stat": "7 (a) S\n",
    }
    trees.write(tmp_path, files)
    proc = Proc(str(tmp_path))
    found = direct_map(proc)
    assert found is not None
    assert found.sizes == {"4k": 8192}
    assert proc.started(7) is None


def test_descriptor_of_a_deleted_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file has lost its last link; a secretmem file never does."""
    trees.unpack("debian-6.12.117", tmp_path)
    proc = Proc(str(tmp_path))
    assert len(proc.descriptors(186) or []) == 1
    unlinked = os.stat_result((0o100600, 9, 14, 0, 0, 0, 4096, 1, 1, 1))
    monkeypatch.setattr(Path, "stat", lambda _: unlinked)
    assert proc.descriptors(186) == []


def test_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Any user may put an escape sequence into the name of a process."""
    trees.unpack(
        "debian-6.12.117", tmp_path, {"proc/185/comm": "\x1b[2Jroot\n"}
    )
    lines = list(look(Proc(str(tmp_path))).lines())
    assert lines[1].endswith(" ?[2Jroot")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    "uid, name", [(None, "?"), (0, "root"), (4000000000, "4000000000")]
)
def test_users_without_a_name(uid: int | None, name: str) -> None:
    """A container's users often have none here."""
    assert _user(uid) == name
