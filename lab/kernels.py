"""
Find, download and unpack Debian kernels by series, never by exact build.

A kernel is asked for as ``SERIES[-oldest][-cloud]``: ``6.12`` is the newest
6.12 on offer in the full flavour, ``6.1-oldest-cloud`` the oldest 6.1 of the
small flavour for virtual machines, ``newest`` whatever series is newest.
Old builds leave the archive when they are superseded, so names are looked up
at run time.
"""

from __future__ import annotations

import functools
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from typing import NamedTuple

from lab.apt import Apt, LabError


LISTS_VALID_SECONDS = 24 * 3600
# The line in Debian's changelog for the fix of CVE-2026-93243.  From then on
# pages are charged to the user at first touch, not to the process at mmap.
ACCOUNTING_FIX = "mm/secretmem: properly account locked pages"
# From 7.2 on all builds on offer had it from the start, without an entry.
FIXED_UPSTREAM = (7, 2)
DEFAULT_ON_SINCE = (6, 5)
FIRST_WITH_CALL = (5, 14)


def cache() -> pathlib.Path:
    """Return the laboratory's directory: ``$LAB`` or one in ``~/.cache``."""
    named = os.environ.get("LAB")
    home = pathlib.Path.home() / ".cache" / "secretmem-lab"
    return pathlib.Path(named).resolve() if named else home


class Kernel(NamedTuple):
    """One unpacked kernel: its release name, image and modules."""

    release: str
    image: pathlib.Path
    modules: pathlib.Path
    changelog: pathlib.Path | None

    @property
    def version(self) -> tuple[int, int]:
        """Return the series as two numbers, for comparisons."""
        found = re.match(r"(\d+)\.(\d+)", self.release)
        if found is None:
            msg = f"no version in {self.release!r}"
            raise LabError(msg)
        return int(found[1]), int(found[2])

    @property
    def has_call(self) -> bool:
        """Tell whether this series knows memfd_secret(2) at all."""
        return self.version >= FIRST_WITH_CALL

    @property
    def on_by_default(self) -> bool:
        """Tell whether the call works without a boot option."""
        return self.version >= DEFAULT_ON_SINCE

    @property
    def per_user(self) -> bool:
        """
        Tell which accounting to expect, from the package's own changelog.

        True: RLIMIT_MEMLOCK is charged per user at first touch.  False: per
        process at mmap.
        """
        if self.version >= FIXED_UPSTREAM:
            return True
        if self.changelog is None:
            return False
        with gzip.open(self.changelog, "rt", encoding="utf-8") as lines:
            return any(ACCOUNTING_FIX in line for line in lines)


class Wanted(NamedTuple):
    """A request such as ``6.1-oldest-cloud``, taken apart."""

    series: str
    oldest: bool
    cloud: bool

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """
        Read ``SERIES[-oldest][-cloud]``.

        Raises:
            LabError: *text* has another form.
        """
        found = re.fullmatch(r"(\d+\.\d+|newest)(-oldest)?(-cloud)?", text)
        if found is None:
            msg = f"kernel {text!r}: say SERIES[-oldest][-cloud], e.g. 6.12"
            raise LabError(msg)
        return cls(found[1], bool(found[2]), bool(found[3]))

    def pattern(self) -> str:
        """Return the expression that this request's package names match."""
        newest = self.series == "newest"
        series = r"[0-9]+\.[0-9]+" if newest else re.escape(self.series)
        flavour = "cloud-amd64" if self.cloud else "amd64"
        build = r"(\.0-[0-9]+|\.[0-9]+\+deb[0-9.]+)"
        return f"^linux-(image|binary|modules)-{series}{build}-{flavour}$"


def _age(build: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", build)]


def packages(apt: Apt, wanted: Wanted) -> list[str]:
    """
    Return the packages that hold the wanted kernel, newest or oldest build.

    Newer series are split into ``linux-binary-*`` and ``linux-modules-*``.
    Of superseded builds the archive may keep one half; those are passed over.

    Raises:
        LabError: the archive offers no such kernel.
    """
    parts: dict[str, set[str]] = {}
    for name in apt.names(wanted.pattern()):
        _, part, build = name.split("-", 2)
        parts.setdefault(build, set()).add(part)
    whole = [
        build
        for build, found in parts.items()
        if found == {"image"} or found >= {"binary", "modules"}
    ]
    if not whole:
        msg = f"the archive offers no kernel {wanted.series} any more"
        raise LabError(msg)
    whole.sort(key=_age)
    build = whole[0 if wanted.oldest else -1]
    if parts[build] == {"image"}:
        return [f"linux-image-{build}"]
    return [f"linux-binary-{build}", f"linux-modules-{build}"]


@functools.cache
def get(text: str) -> Kernel:
    """
    Return the kernel asked for by *text*; download it if need be.

    Raises:
        LabError: it is not on offer, or apt failed.
    """
    wanted = Wanted.parse(text)
    apt = Apt(cache() / "apt")
    _update(apt)
    try:
        place = _place(apt, wanted)
    except LabError:
        # The archive may have dropped the build since the lists were read.
        _update(apt, always=True)
        place = _place(apt, wanted)
    return _describe(place)


def _place(apt: Apt, wanted: Wanted) -> pathlib.Path:
    names = packages(apt, wanted)
    place = cache() / "kernels" / names[0]
    if not place.is_dir():
        _unpack(apt, names, place)
    return place


def _update(apt: Apt, *, always: bool = False) -> None:
    """Fetch the package lists, if those that are there are a day old."""
    stamp = apt.home / "updated"
    if _fresh(stamp) and not always:
        return
    apt.home.mkdir(parents=True, exist_ok=True)
    try:
        apt.update()
        stamp.touch()
    except LabError:
        # A laboratory that worked yesterday also works without a network,
        # on the kernels it already has.
        if not stamp.exists():
            raise


def _fresh(stamp: pathlib.Path) -> bool:
    try:
        return time.time() - stamp.stat().st_mtime < LISTS_VALID_SECONDS
    except FileNotFoundError:
        return False


def _unpack(apt: Apt, names: list[str], place: pathlib.Path) -> None:
    """Download and unpack into a side directory, then move it in place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as work:
        debs = pathlib.Path(work) / "debs"
        tree = pathlib.Path(work) / "tree"
        debs.mkdir()
        for name in names:
            apt.download(name, debs)
        for deb in debs.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
        shutil.move(tree, place)


def _describe(place: pathlib.Path) -> Kernel:
    images = [*place.glob("boot/vmlinuz-*")]
    images += place.glob("usr/lib/modules/*/vmlinuz")
    modules = [*place.glob("lib/modules/*"), *place.glob("usr/lib/modules/*")]
    if not images or not modules:
        msg = f"{place.name}: no image or no modules in the package"
        raise LabError(msg)
    logs = [*place.glob("usr/share/doc/*/changelog*.gz")]
    return Kernel(
        release=modules[0].name,
        image=images[0],
        modules=modules[0],
        changelog=logs[0] if logs else None,
    )
