"""Which upstream version a kernel release stands for, and who built it."""

from __future__ import annotations

import re
from dataclasses import dataclass


Version = tuple[int, int, int]

# A candidate such as 7.3-rc1 sorts below the release 7.3.0.
_CANDIDATE = -1

_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_DEBIAN = re.compile(r"\bDebian (\d+\.\d+\.\d+)-")
_UBUNTU = re.compile(r"^Ubuntu \S+ (\d+\.\d+\.\d+)", re.MULTILINE)

# Part of the release string or of /proc/version, and the builder's name.
_BUILDERS = (
    ("Debian", "Debian"),
    ("Ubuntu", "Ubuntu"),
    (".el", "Red Hat Enterprise Linux"),
    (".fc", "Fedora"),
    ("amzn", "Amazon Linux"),
    ("-arch", "Arch Linux"),
    ("MANJARO", "Manjaro"),
    ("-default", "SUSE"),
    ("microsoft", "WSL"),
    ("-gke", "Google"),
    ("-azure", "Microsoft Azure"),
)


@dataclass(frozen=True, slots=True)
class Release:
    """
    A running kernel.

    ``text`` is the release string of uname(2); ``version`` the upstream
    version it is based on, None when it cannot be read; ``builder`` the
    distribution, "" for an unpatched name, "unknown" for another suffix.
    """

    text: str
    version: Version | None
    builder: str

    @property
    def plain(self) -> bool:
        """Tell whether the name claims nothing but an upstream release."""
        return not self.builder

    def base(self) -> str:
        """Return the upstream version as text."""
        if self.version is None:
            return "unknown"
        major, minor, patch = self.version
        last = "-rc" if patch == _CANDIDATE else f".{patch}"
        return f"{major}.{minor}{last}"


def parse(release: str, version: str = "", signature: str = "") -> Release:
    """
    Read the upstream version from the three places that may show it.

    ``release`` is /proc/sys/kernel/osrelease, ``version`` is /proc/version
    (Debian writes its package version there, since its release string
    "6.1.0-56-amd64" hides the upstream one) and ``signature`` is
    /proc/version_signature (Ubuntu's, for the same reason).
    """
    # Before the build number stand the compiler and its own version, which
    # is the distribution's also where the kernel is not.
    banner = version.partition("#")[2]
    hidden = _DEBIAN.search(banner) or _UBUNTU.search(signature)
    number = number_of(hidden[1] if hidden else release)
    return Release(release, number, _builder(release, banner + signature))


def number_of(text: str) -> Version | None:
    """Return "6.12.59", "6.12" or "7.3-rc1" as a tuple, None for others."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    patch = _CANDIDATE if "-rc" in text else int(found[3] or 0)
    return int(found[1]), int(found[2]), patch


def _builder(release: str, banner: str) -> str:
    """Name who built the kernel."""
    for mark, name in _BUILDERS:
        if mark in release or (mark.isalpha() and mark in banner):
            return name
    suffix = re.sub(r"^[\d.]+(-rc\d+)?", "", release)
    return "unknown" if suffix else ""
