"""
Ask apt for kernels without touching the machine's own package lists.

The archive is whatever the machine itself is configured for; the laboratory
adds the suites that carry older and newer kernels.  Nothing is installed:
packages are downloaded and unpacked.
"""

from __future__ import annotations

import os
import pathlib
import subprocess


SUITES = (
    "bullseye-security",
    "bookworm",
    "bookworm-security",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = pathlib.Path("/etc/apt")
UPDATE_SECONDS = 300
DOWNLOAD_SECONDS = 900


class LabError(Exception):
    """The laboratory cannot do what was asked; the text says why."""


def mirror() -> str:
    """
    Return the address of the Debian archive to use.

    ``LAB_MIRROR`` wins; otherwise the first archive ending in ``/debian`` in
    the machine's own apt sources.

    Raises:
        LabError: neither is there.
    """
    if named := os.environ.get("LAB_MIRROR"):
        return named.rstrip("/")
    files = [SOURCES / "sources.list", *SOURCES.glob("sources.list.d/*")]
    for file in files:
        if not file.is_file():
            continue
        lines = file.read_text(encoding="utf-8").splitlines()
        words = [
            word.rstrip("/")
            for line in lines
            if not line.lstrip().startswith("#")
            for word in line.split()
        ]
        for word in words:
            if word.startswith("http") and word.endswith("/debian"):
                return word
    msg = "no Debian archive in /etc/apt: set LAB_MIRROR to one"
    raise LabError(msg)


class Apt:
    """A private apt state under *home*: own sources, lists and cache."""

    def __init__(self, home: pathlib.Path) -> None:
        """Use *home*; :meth:`update` fills it."""
        self.home = home
        self.options = (
            f"-oDir::Etc::sourcelist={home}/sources.list",
            "-oDir::Etc::sourceparts=/dev/null",
            f"-oDir::State::lists={home}/lists",
            f"-oDir::Cache={home}/cache",
            # As root apt would drop to a user that cannot write here.
            "-oAPT::Sandbox::User=root",
        )

    def update(self) -> None:
        """
        Write the sources and fetch the package lists (about 30 MB).

        Raises:
            LabError: the archive cannot be reached.
        """
        base = mirror()
        for part in ("lists/partial", "cache/archives/partial"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        lines = []
        for suite in SUITES:
            where = base + ("-security" if "security" in suite else "")
            lines.append(f"deb [signed-by={KEYRING}] {where} {suite} main\n")
        (self.home / "sources.list").write_text("".join(lines))
        self._run("apt-get", "-q", "update", seconds=UPDATE_SECONDS)

    def names(self, pattern: str) -> list[str]:
        """Return the package names that match the regular *pattern*."""
        out = self._run("apt-cache", "search", "--names-only", pattern)
        return [line.split(" ", 1)[0] for line in out.splitlines()]

    def download(self, package: str, into: pathlib.Path) -> None:
        """
        Put the package's ``.deb`` file into the directory *into*.

        Raises:
            LabError: the archive no longer has it.
        """
        self._run(
            "apt-get",
            "-q",
            "download",
            package,
            seconds=DOWNLOAD_SECONDS,
            cwd=into,
        )

    def _run(
        self,
        tool: str,
        *words: str,
        seconds: int = 60,
        cwd: pathlib.Path | None = None,
    ) -> str:
        command = [tool, *self.options, *words]
        try:
            done = subprocess.run(
                command,
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"{tool} {words[-1]}: {error}"
            raise LabError(msg) from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            msg = f"{tool} {words[-1]}: {last}"
            raise LabError(msg)
        return done.stdout
