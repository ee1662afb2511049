"""Which upstream version a kernel stands for, and what that means."""

from __future__ import annotations

import pytest

from secretmem.doctor import advisories
from secretmem.doctor.advisories import ADVISORIES, judge
from secretmem.doctor.release import parse


DEBIAN = (
    "Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) "
    "(gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0) "
    "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
)


@pytest.mark.parametrize(
    "release, banner, signature, version, builder",
    [
        ("6.12.59", "", "", (6, 12, 59), ""),
        ("6.12", "", "", (6, 12, 0), ""),
        ("7.3.0-rc1", "", "", (7, 3, -1), ""),
        ("6.1.0-56-amd64", DEBIAN, "", (6, 1, 192), "Debian"),
        (
            "6.6.20",
            "Linux version 6.6.20 (me@x) (gcc (Debian 12.2.0-14)) #1 SMP",
            "",
            (6, 6, 20),
            "",
        ),
        (
            "6.8.0-45-generic",
            "Linux version 6.8.0-45-generic (buildd@x) #45-Ubuntu SMP",
            "Ubuntu 6.8.0-45.45-generic 6.8.12\n",
            (6, 8, 12),
            "Ubuntu",
        ),
        (
            "5.14.0-427.13.1.el9_4.x86_64",
            "",
            "",
            (5, 14, 0),
            "Red Hat Enterprise Linux",
        ),
        ("6.11.4-301.fc41.x86_64", "", "", (6, 11, 4), "Fedora"),
        ("6.1.112-122.amzn2023.x86_64", "", "", (6, 1, 112), "Amazon Linux"),
        ("6.18.44-custom", "", "", (6, 18, 44), "unknown"),
        ("elsewhere", "", "", None, "unknown"),
    ],
)
def test_upstream_version_and_builder(
    release: str,
    banner: str,
    signature: str,
    version: tuple[int, int, int] | None,
    builder: str,
) -> None:
    """Distributions hide the version in different places."""
    found = parse(release, banner, signature)
    assert (found.version, found.builder) == (version, builder)
    assert found.plain == (not builder)


RACE = next(each for each in ADVISORIES if each.name == "CVE-2025-40272")


@pytest.mark.parametrize(
    "version, verdict",
    [
        ((5, 13, 19), "before"),
        ((5, 14, 0), "affected"),
        ((5, 15, 196), "affected"),
        ((5, 15, 197), "fixed"),
        ((6, 1, 158), "affected"),
        ((6, 1, 159), "fixed"),
        ((6, 3, 13), "affected"),
        ((6, 12, 59), "fixed"),
        ((6, 17, 8), "affected"),
        ((6, 17, 9), "fixed"),
        ((6, 18, -1), "affected"),
        ((6, 18, 0), "fixed"),
        ((7, 0, 3), "fixed"),
    ],
)
def test_each_branch_is_judged_by_its_own_fix(
    version: tuple[int, int, int], verdict: str
) -> None:
    """A branch without a fix in the table counts as affected."""
    assert judge(RACE, version) == verdict


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda each: each.name)
def test_table_is_in_order(advisory: advisories.Advisory) -> None:
    """Fixes ascend, mainline last, and none precedes the bug."""
    marks = [advisories._number(text) for text in advisory.fixed]
    assert marks == sorted(marks)
    assert len({mark[:2] for mark in marks}) == len(marks)
    assert advisories._number(advisory.introduced) < marks[0]
    assert marks[-1][2] == 0  # the mainline release, not a stable one
    assert advisory.consequence.endswith(".")
