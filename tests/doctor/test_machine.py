"""What recorded machines do with memory, and reports as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem.doctor import Finding, Outcome, System, examine, worst
from secretmem.doctor.finding import STATUSES
from secretmem.doctor.report import as_dict, as_lines
from support.trees import by_check, one


if TYPE_CHECKING:
    from pathlib import Path

    from support.trees import Recorded


def test_swap_on_a_disk_is_a_note(recorded: Recorded) -> None:
    """A zram and an encrypted device are not disks that keep anything."""
    changes = {
        "proc/swaps": (
            "Filename Type Size Used Priority\n"
            "/dev/zram0 partition 1 0 100\n"
            "/dev/dm-1 partition 1 0 -2\n"
            "/dev/sda2 partition 1 0 -3\n"
        ),
        "sys/block/dm-1/dm/uuid": "CRYPT-PLAIN-swap\n",
    }
    finding = one(recorded("debian-6.12.117", changes), "machine.swap")
    assert finding.status == "note"
    assert finding.what.startswith("swap on /dev/sda2, not")
    assert "MemorySwapMax=0" in finding.remedy


def test_crash_kernel_is_a_finding(recorded: Recorded) -> None:
    """It reads all of memory, secret pages too."""
    changes = {"sys/kernel/kexec_crash_loaded": "1\n"}
    found = examine(recorded("debian-6.12.117", changes))
    assert by_check(found, "machine.kdump")[0].status == "finding"
    assert worst(found) == "finding"


@pytest.mark.parametrize(
    "pattern, soft, status",
    [
        ("core", "0", "ok"),
        ("core", "unlimited", "note"),
        ("|/usr/lib/systemd/systemd-coredump %P", "0", "note"),
        (None, "0", "unknown"),
    ],
)
def test_core_files(
    recorded: Recorded, pattern: str | None, soft: str, status: str
) -> None:
    """A pipe ignores the limit."""
    changes = {
        "proc/sys/kernel/core_pattern": pattern,
        "proc/self/limits": (
            f"Max core file size  {soft}  unlimited  bytes\n"
            "Max locked memory  8388608  8388608  bytes\n"
        ),
    }
    finding = one(recorded("debian-6.12.117", changes), "machine.core")
    assert finding.status == status


@pytest.mark.parametrize(
    "path, value, check, status",
    [
        ("yama/ptrace_scope", "1", "process.ptrace-scope", "ok"),
        ("yama/ptrace_scope", "0", "process.ptrace-scope", "note"),
        ("yama/ptrace_scope", None, "process.ptrace-scope", "note"),
        ("perf_event_paranoid", "3", "process.perf", "ok"),
        ("perf_event_paranoid", "2", "process.perf", "note"),
        ("perf_event_paranoid", None, "process.perf", "ok"),
    ],
)
def test_kernel_settings(
    recorded: Recorded,
    path: str,
    value: str | None,
    check: str,
    status: str,
) -> None:
    """Each setting has its own threshold."""
    system = recorded("debian-6.12.117", {f"proc/sys/kernel/{path}": value})
    finding = one(system, check)
    assert finding.status == status
    if path.startswith("yama") and status == "note":
        assert "harden()" in finding.remedy
        assert ("sysctl -w" in finding.remedy) == (value is not None)


def test_process_that_is_not_dumpable(recorded: Recorded) -> None:
    """What harden() does shows."""
    system = recorded("debian-6.12.117", dumpable=0)
    assert one(system, "process.dumpable").status == "ok"


def test_nothing_readable_is_unknown_and_not_fine(tmp_path: Path) -> None:
    """An empty /proc makes no check claim that all is well."""
    found = examine(System(str(tmp_path), machine="x86_64"))
    states = {each.check: each.status for each in found}
    for check in (
        "kernel.call",
        "kernel.version",
        "kernel.config",
        "kernel.switch",
        "kernel.bugs",
        "sandbox.seccomp",
        "limits.memlock",
        "process.protection-keys",
        "process.dumpable",
        "machine.swap",
        "machine.core",
    ):
        assert states[check] == "unknown", check


def test_gravest_comes_first(recorded: Recorded) -> None:
    """A reader who stops early has read what matters."""
    found = examine(recorded("debian-6.1.192-wrong-name"))
    ranks = [STATUSES.index(each.status) for each in found]
    assert ranks == sorted(ranks, reverse=True)


def test_every_finding_is_whole(recorded: Recorded) -> None:
    """What is wrong comes with evidence, consequence and remedy."""
    found = examine(recorded("debian-6.1.192-wrong-name"))
    for each in found:
        assert each.what, each
        assert each.evidence, each
        if each.status in {"finding", "unavailable"}:
            assert each.consequence, each
            assert each.remedy, each


def test_pages_of_another_size(recorded: Recorded) -> None:
    """An arm64 kernel with 64 KiB pages has the call, and we refuse."""
    found = examine(recorded("debian-6.12.117", page_size=65536))
    assert worst(found) == "unavailable"
    assert "4 KiB pages" in by_check(found, "kernel.page-size")[0].remedy


def test_other_systems_get_one_answer(tmp_path: Path) -> None:
    """There is nothing to examine there."""
    system = System(str(tmp_path), outcome=Outcome("ENOSYS"))
    system.platform = "darwin"
    (finding,) = examine(system)
    assert finding.status == "unavailable"
    assert "darwin" in finding.what


def test_report_of_a_finding_without_a_remedy(recorded: Recorded) -> None:
    """Parts that are empty are left out of the text."""
    system = recorded("debian-6.12.117", outcome=Outcome("unknown"))
    finding = Finding("a.check", "note", "it is so", "seen")
    lines = [line for _, line in as_lines(system, [finding])]
    assert lines[1:] == [
        "",
        "note          it is so",
        "              (a.check)",
        "  evidence    seen",
    ]


def test_lines_keep_the_width(recorded: Recorded) -> None:
    """Words are not broken, so that a command can be copied."""
    system = recorded("debian-6.1.192-wrong-name")
    found = examine(system)
    for _, line in as_lines(system, found, 72):
        assert len(line) <= 72 or " " not in line.strip()[12:]


def test_json_report(recorded: Recorded) -> None:
    """The report names kernel, machine and verdict."""
    system = recorded("debian-6.1.192-off")
    report = as_dict(system, examine(system))
    assert report["status"] == "unavailable"
    assert report["kernel"] == "6.1.0-56-amd64"
    assert report["upstream"] == "6.1.192"
    assert report["machine"] == "x86_64"
