"""Each way in which memfd_secret(2) fails has its own cause and remedy."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from secretmem import _availability
from secretmem._availability import Facts, explain
from support import trees


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


CURRENT = "debian-6.12.117"

GVISOR = {
    "proc/version": "Linux version 4.19.0-gvisor #1 SMP\n",
    "proc/sys/kernel/osrelease": "4.19.0-gvisor\n",
}

FILTERED = {"proc/self/status": "Seccomp:\t2\n"}

NOT_BUILT = {
    "sys/module/secretmem/present": None,
    "sys/module/secretmem/parameters/enable": None,
}

# A user other than root may not read the parameter.
HIDDEN = {"sys/module/secretmem/parameters/enable": None}


@pytest.mark.parametrize(
    "error, tree, changes, machine, reason",
    [
        ("ENOSYS", "debian-5.10.262", {}, "x86_64", "kernel-old"),
        ("ENOSYS", "debian-6.1.192-off", {}, "x86_64", "switch-off"),
        ("ENOSYS", "debian-6.1.192-off", HIDDEN, "x86_64", "switch-off"),
        ("ENOSYS", CURRENT, GVISOR, "x86_64", "gvisor"),
        ("ENOSYS", CURRENT, {}, "armv7l", "architecture"),
        ("ENOSYS", CURRENT, NOT_BUILT, "x86_64", "not-built"),
        ("ENOSYS", CURRENT, {}, "aarch64", "direct-map"),
        ("ENOSYS", CURRENT, FILTERED, "x86_64", "seccomp"),
        ("ENOSYS", CURRENT, HIDDEN | FILTERED, "x86_64", "seccomp"),
        ("ENOSYS", CURRENT, {}, "x86_64", "unknown"),
        ("EPERM", CURRENT, FILTERED, "x86_64", "seccomp"),
        ("EPERM", CURRENT, {}, "x86_64", "lsm"),
        ("EPERM", CURRENT, {"proc/self/status": None}, "x86_64", "seccomp"),
        ("EACCES", CURRENT, {}, "x86_64", "lsm"),
        ("SIGSYS", CURRENT, {}, "x86_64", "seccomp-kill"),
        ("EMFILE", CURRENT, {}, "x86_64", "descriptors"),
        ("ENFILE", CURRENT, {}, "x86_64", "descriptors"),
        ("ENOMEM", CURRENT, {}, "x86_64", "memory"),
        ("EINVAL", CURRENT, {}, "x86_64", "unknown"),
        ("native-missing", CURRENT, {}, "x86_64", "native-missing"),
    ],
)
def test_reason(
    tmp_path: Path,
    error: str,
    tree: str,
    changes: Mapping[str, str | None],
    machine: str,
    reason: str,
) -> None:
    """The cause is told by what the machine shows of itself."""
    trees.unpack(tree, tmp_path, changes)
    facts = Facts(str(tmp_path), machine=machine, platform="linux")
    found = explain(error, facts)
    assert found.reason == reason
    assert found.remedy
    assert str(found).endswith(found.remedy)
    assert "{" not in str(found).replace('{"names"', "").replace(
        "{type:", ""
    ).replace("{ create", "")


def test_number_and_name_are_the_same(tmp_path: Path) -> None:
    """An errno is taken as a number too; an unknown one stays a number."""
    facts = Facts(str(tmp_path), machine="x86_64", platform="linux")
    assert explain(errno.EACCES, facts).reason == "lsm"
    assert "errno 9999" in str(explain(9999, facts))


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_other_systems(tmp_path: Path, platform: str) -> None:
    """They are named, whatever the error was."""
    facts = Facts(str(tmp_path), platform=platform)
    found = explain("native-missing", facts)
    assert found.reason == "not-linux"
    assert platform in str(found)


@pytest.mark.parametrize(
    "reason, line",
    [
        ("switch-off", "secretmem.enable=1"),
        ("switch-off", "update-grub"),
        ("seccomp", "--security-opt seccomp="),
        ("seccomp", "SystemCallFilter=memfd_secret"),
        ("seccomp", "seccompProfile: {type: Localhost"),
        ("seccomp-kill", "SystemCallErrorNumber=EPERM"),
        ("direct-map", "rodata=full"),
        ("not-built", "CONFIG_SECRETMEM=y"),
        ("gvisor", "--runtime=runc"),
        ("lsm", "anon_inode"),
        ("descriptors", "LimitNOFILE="),
    ],
)
def test_remedy_is_an_exact_line(reason: str, line: str) -> None:
    """A remedy can be copied."""
    assert line in _availability.remedy_for(reason)


def test_each_reason_is_documented() -> None:
    """The table in the module's text lists all of them."""
    text = _availability.__doc__ or ""
    for reason in _availability._CAUSES:
        assert f"\n``{reason}``" in text


@pytest.mark.parametrize(
    "release, version",
    [
        ("6.12.117+deb13-amd64", (6, 12)),
        ("5.14-rc1", (5, 14)),
        ("", None),
        ("7", None),
        ("x.y", None),
    ],
)
def test_version_of(release: str, version: tuple[int, int] | None) -> None:
    """What is no release is not guessed at."""
    assert _availability.version_of(release) == version


def test_switch_without_a_version(tmp_path: Path) -> None:
    """Without file, option and version nothing is known."""
    assert Facts(str(tmp_path)).switch() is None


@pytest.mark.parametrize(
    "value, state", [("0", False), ("n", False), ("1", True), ("Y", True)]
)
def test_switch_from_the_command_line(
    tmp_path: Path,
    value: str,
    state: bool,  # noqa: FBT001 - an expected value
) -> None:
    """The last option wins where the parameter cannot be read."""
    option = f"secretmem.enable=0 quiet secretmem.enable={value}\n"
    trees.write(tmp_path, {"proc/cmdline": option})
    assert Facts(str(tmp_path)).switch() is state


def test_configuration_file_tells(tmp_path: Path) -> None:
    """Where /sys is not mounted, the file of the release decides."""
    trees.write(
        tmp_path,
        {
            "proc/sys/kernel/osrelease": "6.6.1\n",
            "boot/config-6.6.1": "#\nCONFIG_SECRETMEM=y\n",
        },
    )
    assert Facts(str(tmp_path)).built() is True


def test_live_machine_is_the_default() -> None:
    """Without facts the running system is looked at."""
    assert explain("SIGSYS").reason == "seccomp-kill"
