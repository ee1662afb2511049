"""Kernels are looked up in what the archive offers, never by exact build."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, cast

import pytest

from lab import apt, kernels
from lab.apt import Apt, LabError
from lab.kernels import Kernel, Wanted


if TYPE_CHECKING:
    from pathlib import Path


OFFER = [
    "linux-image-5.10.0-43-cloud-amd64",
    "linux-image-5.10.0-46-cloud-amd64",
    "linux-image-6.1-amd64",
    "linux-image-6.1.0-0.deb11.48-amd64",
    "linux-image-6.1.0-9-amd64",
    "linux-image-6.1.0-56-amd64",
    "linux-image-6.1.0-56-cloud-amd64",
    "linux-image-6.1.0-56-rt-amd64",
    "linux-image-6.1.0-56-amd64-unsigned",
    "linux-image-6.12.43+deb12-amd64",
    "linux-image-6.12.117+deb13-amd64",
    "linux-image-6.19.6+deb13-amd64",
    "linux-binary-6.19.6+deb13-amd64",
    "linux-image-7.3.4+deb13-amd64",
    "linux-binary-7.3.4+deb13-amd64",
    "linux-modules-7.3.4+deb13-amd64",
    "linux-image-10.1.2+deb15-amd64",
    "linux-binary-10.1.2+deb15-amd64",
]


class Archive:
    """An archive that offers `OFFER`."""

    def names(self, pattern: str) -> list[str]:
        """Search as apt-cache does."""
        return [name for name in OFFER if re.search(pattern, name)]


def _packages(text: str) -> list[str]:
    return kernels.packages(cast("Apt", Archive()), Wanted.parse(text))


@pytest.mark.parametrize(
    "asked, found",
    [
        ("6.1", ["linux-image-6.1.0-56-amd64"]),
        ("6.1-oldest", ["linux-image-6.1.0-9-amd64"]),
        ("6.1-cloud", ["linux-image-6.1.0-56-cloud-amd64"]),
        ("5.10-oldest-cloud", ["linux-image-5.10.0-43-cloud-amd64"]),
        ("6.12", ["linux-image-6.12.117+deb13-amd64"]),
        ("6.12-oldest", ["linux-image-6.12.43+deb12-amd64"]),
        (
            "newest",
            [
                "linux-binary-7.3.4+deb13-amd64",
                "linux-modules-7.3.4+deb13-amd64",
            ],
        ),
    ],
)
def test_build_is_found(asked: str, found: list[str]) -> None:
    """Builds are ordered by number; unusable packages are passed over."""
    assert found == _packages(asked)


def test_half_of_a_superseded_build_is_no_kernel() -> None:
    """Without its modules a split kernel is as good as gone."""
    with pytest.raises(LabError, match=r"offers no kernel 6\.19 any more"):
        _packages("6.19")


@pytest.mark.parametrize("text", ["", "6", "6.1-new", "cloud-6.1", "6.1.0"])
def test_request_of_another_form_is_refused(text: str) -> None:
    """The message shows the form."""
    with pytest.raises(LabError, match="SERIES"):
        Wanted.parse(text)


def _kernel(release: str, changelog: Path | None = None) -> Kernel:
    nowhere = apt.SOURCES
    return Kernel(release, nowhere, nowhere, changelog)


def test_accounting_is_read_from_the_changelog(tmp_path: Path) -> None:
    """The fix counts, not the version number."""
    log = tmp_path / "changelog.gz"
    line = f"    - {kernels.ACCOUNTING_FIX} (CVE-2026-93243)\n"
    log.write_bytes(gzip.compress(b"linux\n" + line.encode()))
    old = tmp_path / "old.gz"
    old.write_bytes(gzip.compress(b"linux\n"))

    assert _kernel("6.1.0-56-amd64", log).per_user
    assert not _kernel("6.1.0-56-amd64", old).per_user
    assert not _kernel("6.1.0-56-amd64").per_user
    assert _kernel("7.3.4+deb13-amd64", old).per_user


@pytest.mark.parametrize(
    "release, has_call, on",
    [
        ("5.10.0-46-amd64", False, False),
        ("5.14.0", True, False),
        ("6.4.0", True, False),
        ("6.5.0", True, True),
        ("6.12.117+deb13-amd64", True, True),
    ],
)
def test_switch_by_version(release: str, has_call: bool, on: bool) -> None:  # noqa: FBT001 - a table
    """The call came in 5.14 and is on since 6.5."""
    kernel = _kernel(release)

    assert (has_call, on) == (kernel.has_call, kernel.on_by_default)


def test_mirror_is_the_machines_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Comments and other archives are passed over."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\n# http://old.invalid/debian\n"
        "URIs: http://other.invalid/debian-security\n"
        "URIs: http://mirror.invalid/debian/\n",
        "ascii",
    )
    monkeypatch.delenv("LAB_MIRROR", raising=False)
    monkeypatch.setattr(apt, "SOURCES", tmp_path)

    assert apt.mirror() == "http://mirror.invalid/debian"


def test_no_mirror_says_what_to_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On another distribution the user names one."""
    monkeypatch.setattr(apt, "SOURCES", tmp_path)
    monkeypatch.delenv("LAB_MIRROR", raising=False)
    with pytest.raises(LabError, match="set LAB_MIRROR"):
        apt.mirror()
    monkeypatch.setenv("LAB_MIRROR", "http://named.invalid/debian/")

    assert apt.mirror() == "http://named.invalid/debian"
