"""The checks judge recorded kernels as their owners would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem.doctor import Outcome, advisories, examine, worst
from support.trees import by_check, one


if TYPE_CHECKING:
    from support.trees import Recorded


def test_old_kernel_is_named(recorded: Recorded) -> None:
    """Linux 5.10 has no call, and no boot option adds it."""
    found = examine(recorded("debian-5.10.262"))
    call = found[0]
    assert (call.check, call.status) == ("kernel.call", "unavailable")
    assert "older than 5.14" in call.what
    assert "kernel-old" in call.evidence
    assert by_check(found, "kernel.version")[0].status == "finding"
    assert worst(found) == "unavailable"


def test_switch_is_off_by_default_on_6_1(recorded: Recorded) -> None:
    """Debian 12 needs the boot option, under its right name."""
    system = recorded("debian-6.1.192-off")
    call = one(system, "kernel.call")
    assert "switch-off" in call.evidence
    switch = one(system, "kernel.switch")
    assert switch.status == "finding"
    assert "secretmem.enable=1" in switch.remedy
    assert "default: off before 6.5" in switch.evidence


def test_wrong_option_name_is_found(recorded: Recorded) -> None:
    """The manual page's name is no parameter of any kernel."""
    found = examine(recorded("debian-6.1.192-wrong-name"))
    wrong = [each for each in found if "no effect" in each.what]
    assert len(wrong) == 1
    assert "Write `secretmem.enable=1` instead" in wrong[0].remedy
    assert worst(found) == "unavailable"


def test_switched_on_6_1_works_and_counts_per_user(
    recorded: Recorded,
) -> None:
    """The newest 6.1 carries the fix of the accounting bug."""
    found = examine(recorded("debian-6.1.192-on"))
    assert worst(found) == "note"
    assert all("CVE-2026-93243" not in each.what for each in found)
    limit = by_check(found, "limits.memlock")[0]
    assert "counted per user" in limit.evidence
    assert "root is not exempt" in limit.evidence


def test_older_6_1_still_has_the_accounting_bug(recorded: Recorded) -> None:
    """Behaviour decides, whatever a distribution backported."""
    found = examine(recorded("debian-6.1.170"))
    version = by_check(found, "kernel.version")[0]
    assert "upstream 6.1.170; built by: Debian" in version.evidence
    bugs = [each for each in found if "CVE-2026-93243" in each.what]
    assert [each.status for each in bugs] == ["finding"]
    assert bugs[0].evidence.startswith("observed")
    limit = by_check(found, "limits.memlock")[0]
    assert limit.what == "RLIMIT_MEMLOCK does not bind this process"
    assert "CAP_IPC_LOCK" in limit.evidence


def test_holders_are_counted_against_a_limit_per_user(
    recorded: Recorded,
) -> None:
    """Two pages of another process of this uid are missing."""
    limit = one(recorded("debian-6.12.117"), "limits.memlock")
    assert limit.what.startswith(f"{8388608 - 2 * 4096} bytes of")
    assert "pid 185 (python3) 8192 bytes and 1 fds" in limit.evidence
    assert "pid 186 (python3) 0 bytes and 1 fds" in limit.evidence


def test_hibernation_is_refused_while_memory_is_held(
    recorded: Recorded,
) -> None:
    """The kernel says [disabled] and not who does that."""
    finding = one(recorded("debian-6.12.117"), "machine.hibernation")
    assert finding.status == "note"
    assert "disabled" in finding.what
    assert "secretmem ps" in finding.remedy


def test_hibernation_works_while_nobody_holds_any(
    recorded: Recorded,
) -> None:
    """It then says what will happen."""
    finding = one(recorded("debian-6.1.192-on"), "machine.hibernation")
    assert "works until" in finding.what


def test_protection_keys_are_seen(recorded: Recorded) -> None:
    """The emulated processor has them."""
    finding = one(recorded("debian-6.12.117"), "process.protection-keys")
    assert (finding.status, finding.evidence) == (
        "ok",
        "/proc/cpuinfo: ospke",
    )


SMALL = "Max locked memory  {soft}  65536  bytes\n"


@pytest.mark.parametrize(
    "soft, regime, status, words",
    [
        ("4096", "per-user", "finding", "not enough to start"),
        ("65536", "per-process", "note", "a few small secrets"),
        ("65536", "per-user", "finding", "57344 bytes of"),
        ("unlimited", "per-user", "ok", "unlimited"),
        ("8388608", None, "ok", "8388608 bytes of"),
    ],
)
def test_small_limits(
    recorded: Recorded, soft: str, regime: str, status: str, words: str
) -> None:
    """64 KiB is little; less is nothing; two pages are held by others."""
    changes = {
        "proc/self/limits": SMALL.format(soft=soft),
        "proc/self/status": "Uid:\t0\t0\t0\t0\nVmLck:\t0 kB\nCapEff:\t0\n",
    }
    system = recorded("debian-6.12.117", changes, regime=regime)
    limit = one(system, "limits.memlock")
    assert limit.status == status
    assert words in limit.what
    if status != "ok":
        assert "LimitMEMLOCK=" in limit.remedy
        assert "docker run --ulimit memlock=" in limit.remedy


def test_locked_memory_is_taken_off_per_process(recorded: Recorded) -> None:
    """VmLck counts where the kernel fills it."""
    changes = {
        "proc/self/limits": SMALL.format(soft="1048576"),
        "proc/self/status": "Uid:\t0\t0\t0\t0\nVmLck:\t1000 kB\nCapEff:\t0\n",
    }
    limit = one(
        recorded("debian-6.12.117", changes, regime="per-process"),
        "limits.memlock",
    )
    assert limit.what.startswith("24576 bytes of")


def test_upstream_kernel_with_bugs(recorded: Recorded) -> None:
    """Nobody backports into an unmodified name: the version decides."""
    changes = {
        "proc/version": "Linux version 6.6.20 (me@home) #1 SMP\n",
        "proc/sys/kernel/osrelease": "6.6.20\n",
    }
    found = examine(recorded("debian-6.12.117", changes))
    bugs = by_check(found, "kernel.bugs")
    names = {each.what.partition(":")[0] for each in bugs}
    assert {"CVE-2024-35872", "CVE-2025-40272"} <= names
    assert "CVE-2024-50182" not in names  # of arm64 only
    assert "CVE-2026-93243" not in names  # seen to be fixed
    assert {each.status for each in bugs} == {"finding", "ok"}


def test_distribution_kernel_is_judged_with_care(recorded: Recorded) -> None:
    """Red Hat's 5.14 is old by name and full of backports."""
    release = "5.14.0-427.13.1.el9_4.x86_64"
    changes = {
        "proc/version": f"Linux version {release} (mockbuild@x)\n",
        "proc/sys/kernel/osrelease": f"{release}\n",
    }
    found = examine(recorded("debian-6.12.117", changes))
    bugs = by_check(found, "kernel.bugs")
    assert {each.status for each in bugs} == {"note", "ok"}
    first = next(each for each in bugs if each.status == "note")
    assert "may carry a backport" in first.evidence
    assert "access.redhat.com" in first.remedy


def test_selinux_makes_the_lsm_bug_matter(recorded: Recorded) -> None:
    """CVE-2025-38396 needs a module that labels files."""
    changes = {
        "proc/sys/kernel/osrelease": "6.12.30\n",
        "proc/version": "Linux version 6.12.30 (me@home) #1 SMP\n",
        "sys/fs/selinux/enforce": "1\n",
        "sys/kernel/security/lsm": "lockdown,yama,selinux\n",
    }
    found = examine(recorded("debian-6.12.117", changes))
    assert any("CVE-2025-38396" in each.what for each in found)
    module = by_check(found, "sandbox.lsm")[0]
    assert "SELinux enforcing: 1" in module.evidence


@pytest.mark.parametrize(
    "cmdline, release, outcome, status",
    [
        ("rodata=off", "6.1.100", "ok", "finding"),
        ("rodata=off", "6.12.30", "ok", "ok"),
        ("rodata=off", "6.12.30", "ENOSYS", "finding"),
        ("rodata=full", "6.1.100", "ok", "ok"),
        ("quiet", "6.1.100", "ok", "unknown"),
    ],
)
def test_arm64_direct_map(
    recorded: Recorded, cmdline: str, release: str, outcome: str, status: str
) -> None:
    """Before CVE-2024-50182 the call worked and hid nothing."""
    changes = {
        "proc/cmdline": f"{cmdline}\n",
        "proc/sys/kernel/osrelease": f"{release}\n",
        "proc/version": f"Linux version {release} (me@home) #1 SMP\n",
    }
    system = recorded(
        "debian-6.12.117",
        changes,
        machine="aarch64",
        outcome=Outcome(outcome),
    )
    finding = one(system, "kernel.architecture")
    assert finding.status == status
    if status == "finding":
        assert "rodata=full" in finding.remedy
        assert "CVE-2024-50182" in finding.consequence


def test_arm64_built_without_full_rodata(recorded: Recorded) -> None:
    """The configuration decides without a boot option."""
    changes = {
        "boot/config-6.12.117+deb13-amd64": "CONFIG_SECRETMEM=y\n",
    }
    system = recorded(
        "debian-6.12.117",
        changes,
        machine="aarch64",
        outcome=Outcome("ENOSYS"),
    )
    finding = one(system, "kernel.architecture")
    assert finding.status == "finding"
    assert "ENABLED=n" in finding.evidence


def test_machine_without_the_call(recorded: Recorded) -> None:
    """A 32-bit Arm has no number for it."""
    system = recorded(
        "debian-6.12.117", machine="armv7l", outcome=Outcome("ENOSYS")
    )
    found = examine(system)
    assert "architecture" in found[0].evidence
    assert by_check(found, "kernel.architecture")[0].status == "finding"


def test_kernel_built_without_it(recorded: Recorded) -> None:
    """No option and no module helps."""
    changes = {
        "boot/config-6.12.117+deb13-amd64": (
            "# CONFIG_SECRETMEM is not set\n"
        ),
        "sys/module/secretmem/present": None,
        "sys/module/secretmem/parameters/enable": None,
    }
    system = recorded(
        "debian-6.12.117", changes, outcome=Outcome("ENOSYS"), regime=None
    )
    found = examine(system)
    assert "not-built" in found[0].evidence
    config = by_check(found, "kernel.config")[0]
    assert config.status == "finding"
    assert "CONFIG_SECRETMEM=y" in config.remedy


def test_configuration_that_nobody_can_read(recorded: Recorded) -> None:
    """The parameter directory tells as much."""
    hidden = {"boot/config-6.12.117+deb13-amd64": None}
    config = one(recorded("debian-6.12.117", hidden), "kernel.config")
    assert (config.status, config.evidence) == (
        "ok",
        "/sys/module/secretmem exists",
    )


def test_gvisor_is_recognised(recorded: Recorded) -> None:
    """Its banner never changes, its release may."""
    changes = {
        "proc/version": (
            "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"
        ),
        "proc/sys/kernel/osrelease": "4.4.0\n",
    }
    system = recorded(
        "debian-6.12.117", changes, outcome=Outcome("ENOSYS"), regime=None
    )
    found = examine(system)
    assert "gvisor" in found[0].evidence
    sandbox = by_check(found, "sandbox.gvisor")[0]
    assert "--runtime=runc" in sandbox.remedy


@pytest.mark.parametrize(
    "status, words",
    [
        ("Uid:\t0\t0\t0\t0\n", "RLIMIT_MEMLOCK is 8388608 bytes"),
        ("VmLck:\t0 kB\n", "8388608 bytes of RLIMIT_MEMLOCK"),
    ],
)
def test_status_that_tells_half(
    recorded: Recorded, status: str, words: str
) -> None:
    """Without VmLck the room is not known, without Uid the holders."""
    system = recorded(
        "debian-6.12.117", {"proc/self/status": status}, regime="per-process"
    )
    limit = one(system, "limits.memlock")
    assert limit.what.startswith(words)


def test_many_holders_are_counted(recorded: Recorded) -> None:
    """Eight are named, the others summed up."""
    maps = "1000-2000 rw-s 00000000 00:0e 4 /secretmem (deleted)\n"
    changes = {
        f"proc/{pid}/{name}": text
        for pid in range(300, 310)
        for name, text in (("maps", maps), ("status", "Uid:\t0\t0\t0\t0\n"))
    }
    limit = one(recorded("debian-6.12.117", changes), "limits.memlock")
    assert "4 more" in limit.evidence


def test_table_rejects_what_is_no_version() -> None:
    """A slip in the table is an error, not a verdict."""
    with pytest.raises(ValueError, match="six"):
        advisories._number("six")
