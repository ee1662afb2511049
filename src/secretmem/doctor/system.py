"""
The system as the checks see it: files below a root, and a few live facts.

Everything that a file can tell is read from below ``root``, so that a check
judges a recorded tree exactly as it judges the running machine.  The facts
that no file shows are parameters; on the running machine they are found out
when they are first asked for.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from secretmem import _limits
from secretmem._availability import Facts
from secretmem.doctor import release
from secretmem.doctor.probe import Outcome, probe


_PR_GET_DUMPABLE = 3

# Bit of CAP_IPC_LOCK in the capability sets (capabilities(7)).
_CAP_IPC_LOCK = 14


class System(Facts):
    """
    A system to examine.

    ``outcome`` is that of the probe, ``regime`` how RLIMIT_MEMLOCK counts,
    ``dumpable`` the value of PR_GET_DUMPABLE.  For a recorded tree each is
    unknown unless given, and so is ``page_size`` (bytes).  ``unit`` is the
    systemd unit to judge, that of this process unless given.
    """

    def __init__(
        self,
        root: str = "/",
        *,
        machine: str | None = None,
        outcome: Outcome | None = None,
        regime: str | None = None,
        dumpable: int | None = None,
        environ: dict[str, str] | None = None,
        unit: str | None = None,
        page_size: int | None = None,
    ) -> None:
        """Look at the tree below ``root``; "/" is the running machine."""
        platform = sys.platform if root == "/" else "linux"
        super().__init__(root, machine=machine, platform=platform)
        self.root = Path(root)
        self._live = root == "/"
        self._outcome = outcome
        self._regime = regime
        self._dumpable = dumpable
        if environ is None:
            environ = dict(os.environ) if self._live else {}
        self.environ = environ
        self.unit = unit
        if page_size is None and self._live:
            page_size = os.sysconf("SC_PAGE_SIZE")
        self.page_size = page_size

    @cached_property
    def outcome(self) -> Outcome:
        """How memfd_secret(2) answers, tried in a child."""
        if self._outcome is not None:
            return self._outcome
        return probe() if self._live else Outcome("unknown")

    @cached_property
    def regime(self) -> str | None:
        """
        How secret pages count against RLIMIT_MEMLOCK; None when unknown.

        The call is made in this process, after a child made it unharmed.
        """
        if self._regime is None and self._live and self.outcome.call == "ok":
            return _limits.regime()
        return self._regime

    @cached_property
    def dumpable(self) -> int | None:
        """The value of prctl(PR_GET_DUMPABLE): 0, 1 or 2."""
        if self._dumpable is None and self._live:
            return _get_dumpable()
        return self._dumpable

    @cached_property
    def extension(self) -> dict[str, Any] | None:
        """
        How the extension of this installation was built.

        None of a recorded tree, and where the extension cannot be loaded.
        Loading it makes no call that a filter may kill for.
        """
        if not self._live:
            return None
        try:
            native = import_module("secretmem._native")
        except ImportError:
            return None
        built: dict[str, Any] = native.build_info()
        return built

    @cached_property
    def kernel(self) -> release.Release:
        """The running kernel."""
        return release.parse(
            self.release(),
            self.read("proc/version") or "",
            self.read("proc/version_signature") or "",
        )

    def value(self, path: str) -> str | None:
        """Return the one value in the file ``path``, None when unreadable."""
        text = self.read(path)
        return None if text is None else text.strip()

    def names(self, path: str) -> list[str]:
        """Return the sorted names in directory ``path``, [] when none."""
        try:
            return sorted(entry.name for entry in (self.root / path).iterdir())
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Tell whether ``path`` exists below the root."""
        return (self.root / path).exists()

    def status(self, name: str) -> str | None:
        """Return the field ``name`` of /proc/self/status."""
        for line in (self.read("proc/self/status") or "").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
        return None

    def uid(self) -> int | None:
        """Return the real uid of this process."""
        ids = self.status("Uid")
        return None if ids is None else int(ids.split()[0])

    def may_lock(self) -> bool:
        """Tell whether this process has CAP_IPC_LOCK."""
        bits = int(self.status("CapEff") or "0", 16)
        return bool(bits >> _CAP_IPC_LOCK & 1)

    def limit(self, name: str) -> tuple[int | None, int | None] | None:
        """
        Return (soft, hard) of a line of /proc/self/limits, in its units.

        Each is None for "unlimited"; the whole is None when not shown.
        """
        for line in (self.read("proc/self/limits") or "").splitlines():
            if line.startswith(name):
                soft, hard = line[len(name) :].split()[:2]
                return _limit(soft), _limit(hard)
        return None

    def config(self, option: str) -> str | None:
        """
        Return a kernel option such as "y", "n" for one that is not set.

        None when no configuration file of the running kernel is readable;
        /proc/config.gz counts too.
        """
        text = self._configuration
        if text is None:
            return None
        for line in text.splitlines():
            if line.startswith(f"{option}="):
                return line.partition("=")[2].strip('"')
        return "n"

    def boot_option(self, name: str) -> str | None:
        """Return the last value of ``name`` on the kernel command line."""
        found = None
        for word in (self.read("proc/cmdline") or "").split():
            key, _, value = word.partition("=")
            if key == name:
                found = value
        return found

    @cached_property
    def _configuration(self) -> str | None:
        """The configuration of the running kernel, as text."""
        text = self.read(f"boot/config-{self.release()}")
        if text is None:
            text = self.read(f"lib/modules/{self.release()}/config")
        return self._config_gz() if text is None else text

    def _config_gz(self) -> str | None:
        """Return the unpacked /proc/config.gz, None when there is none."""
        import gzip

        try:
            data = (self.root / "proc/config.gz").read_bytes()
            return gzip.decompress(data).decode()
        except OSError:
            return None


def _get_dumpable() -> int:
    """Ask the kernel whether this process is dumpable (prctl(2))."""
    import ctypes

    libc = ctypes.CDLL(None)
    value: int = libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    return value


def _limit(word: str) -> int | None:
    """Return a limit as a number, None for "unlimited"."""
    return None if word == "unlimited" else int(word)
