"""Container, filter, unit and module, as far as files show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem.doctor import Outcome, System, examine
from secretmem.doctor.confinement import container_kind
from secretmem.doctor.unit import Filter, unit, unit_files


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.trees import Recorded


FILTERED = (
    "Name:\tpython3\nUid:\t0\t0\t0\t0\nVmLck:\t0 kB\nCapEff:\t0\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
)


@pytest.mark.parametrize(
    "files, environ, kind",
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {}, "podman"),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({}, {"container": "lxc"}, "lxc"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "x"}, "kubernetes"),
        ({"proc/1/cgroup": "0::/kubepods/pod1\n"}, {}, "kubernetes"),
        ({"proc/1/cgroup": "5:pids:/docker/0a\n"}, {}, "docker"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, {}, ""),
    ],
)
def test_kind_of_container(
    recorded: Recorded,
    files: Mapping[str, str],
    environ: dict[str, str],
    kind: str,
) -> None:
    """Each runtime leaves its own mark."""
    system = recorded("debian-6.12.117", files, environ=environ)
    assert container_kind(system)[0] == kind


@pytest.mark.parametrize(
    "place, line",
    [
        ({".dockerenv": ""}, "docker run --security-opt"),
        ({"run/.containerenv": ""}, "podman run"),
        ({"proc/1/cgroup": "0::/kubepods/pod1\n"}, "localhostProfile"),
        ({}, "SystemCallFilter=memfd_secret"),
    ],
)
@pytest.mark.parametrize("result", ["EPERM", "ENOSYS", "SIGSYS"])
def test_filter_that_refuses(
    recorded: Recorded, place: Mapping[str, str], line: str, result: str
) -> None:
    """The remedy is the line of the runtime that was seen."""
    system = recorded(
        "debian-6.12.117",
        {"proc/self/status": FILTERED, **place},
        outcome=Outcome(result),
        regime=None,
    )
    found = {each.check: each for each in examine(system)}
    assert found["kernel.call"].status == "unavailable"
    reason = "seccomp-kill" if result == "SIGSYS" else "seccomp"
    assert f"reason: {reason})" in found["kernel.call"].evidence
    assert found["sandbox.seccomp"].status == "finding"
    assert line in found["sandbox.seccomp"].remedy


def test_filter_is_not_blamed_for_a_switch(recorded: Recorded) -> None:
    """ENOSYS has a surer cause where the switch is off."""
    system = recorded("debian-6.1.192-off", {"proc/self/status": FILTERED})
    found = {each.check: each for each in examine(system)}
    assert found["sandbox.seccomp"].status == "note"
    assert "switch-off" in found["kernel.call"].evidence


def test_filter_that_allows(recorded: Recorded) -> None:
    """An active filter alone is no finding."""
    changes = {"proc/self/status": FILTERED}
    found = examine(recorded("debian-6.12.117", changes))
    states = {each.check: each.status for each in found}
    assert states["sandbox.seccomp"] == "ok"


@pytest.mark.parametrize("result", ["EACCES", "EPERM"])
def test_module_that_refuses(recorded: Recorded, result: str) -> None:
    """Without a filter a refusal comes from a security module."""
    system = recorded("debian-6.12.117", outcome=Outcome(result), regime=None)
    found = {each.check: each for each in examine(system)}
    assert found["sandbox.lsm"].status == "finding"
    assert "ausearch" in found["sandbox.lsm"].remedy


@pytest.mark.parametrize(
    "lines, admits",
    [
        ((), True),
        (("@system-service",), False),
        (("@system-service", "memfd_secret"), True),
        (("@system-service", "~@resources"), False),
        (("@known",), True),
        (("~@privileged",), True),
        (("~memfd_secret:EPERM",), False),
        (("~memfd_secret", "memfd_secret"), True),
        (("memfd_secret read", "~memfd_secret"), False),
        (("@system-service", ""), True),
    ],
)
def test_system_call_filter(lines: tuple[str, ...], admits: bool) -> None:  # noqa: FBT001 - an expected value
    """Lines add up as systemd.exec(5) says."""
    calls = Filter()
    for line in lines:
        calls.add(line)
    assert calls.admits() is admits


UNIT = "[Service]\nSystemCallFilter=@system-service\n"


def test_unit_of_this_process(recorded: Recorded) -> None:
    """The control group names it."""
    changes = {
        "proc/self/cgroup": "0::/system.slice/app.service\n",
        "usr/lib/systemd/system/app.service": UNIT,
    }
    system = recorded("debian-6.12.117", changes)
    (finding,) = unit(system)
    assert finding.status == "finding"
    assert "SystemCallFilter=@system-service" in finding.evidence
    assert "`systemctl edit app.service`" in finding.remedy
    assert "`SystemCallFilter=memfd_secret`" in finding.remedy


def test_unit_with_a_drop_in(recorded: Recorded) -> None:
    """The remedy that doctor names satisfies doctor."""
    changes = {
        "etc/systemd/system/app@.service": UNIT,
        "usr/lib/systemd/system/app@.service": "[Service]\n",
        "etc/systemd/system/app@1.service.d/override.conf": (
            "[Service]\nSystemCallFilter=memfd_secret\n"
        ),
    }
    system = recorded("debian-6.12.117", changes, unit="app@1.service")
    assert list(unit_files(system, "app@1.service")) == [
        "etc/systemd/system/app@.service",
        "etc/systemd/system/app@1.service.d/override.conf",
    ]
    (finding,) = unit(system)
    assert finding.status == "ok"


def test_process_outside_of_a_unit(tmp_path: Path) -> None:
    """A login session has no unit to judge."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/s1.scope\n")
    assert list(unit(System(str(tmp_path)))) == []


def test_unit_by_its_short_name(recorded: Recorded) -> None:
    """As systemctl takes it; other lines of the file do not matter."""
    place = "lib/systemd/system/app.service"
    lines = "[Service]\nExecStart=/bin/app\nLimitMEMLOCK=64K\n"
    system = recorded("debian-6.12.117", {place: lines}, unit="app")
    (finding,) = unit(system)
    assert finding.what == "the systemd unit app.service admits memfd_secret"
    assert finding.evidence == "LimitMEMLOCK=64K"


def test_unit_that_does_not_exist(recorded: Recorded) -> None:
    """A misspelt name is not judged as harmless."""
    system = recorded("debian-6.12.117", unit="nothing.service")
    (finding,) = unit(system)
    assert finding.status == "unknown"
    assert "/etc/systemd/system" in finding.evidence


def test_drop_ins_of_prefix_and_of_all_services(recorded: Recorded) -> None:
    """The nearer one hides the other of its name; long lines go on."""
    etc = "etc/systemd/system"
    changes = {
        f"{etc}/app-web.service": "[Service]\n",
        f"{etc}/service.d/10.conf": "SystemCallFilter=@basic-io\n",
        f"{etc}/app-.service.d/10.conf": (
            "SystemCallFilter=@system-service \\\n  memfd_secret\n"
        ),
        f"{etc}/service.d/20.conf": "LimitMEMLOCK=1M\n",
        f"{etc}/service.d/notes.txt": "SystemCallFilter=~memfd_secret\n",
    }
    system = recorded("debian-6.12.117", changes, unit="app-web")
    assert list(unit_files(system, "app-web.service")) == [
        f"{etc}/app-web.service",
        f"{etc}/app-.service.d/10.conf",
        f"{etc}/service.d/20.conf",
    ]
    (finding,) = unit(system)
    assert finding.status == "ok"
    assert finding.evidence.endswith("memfd_secret; LimitMEMLOCK=1M")
