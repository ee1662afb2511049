"""`scripts/setup` on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.unprivileged import NOBODY


if TYPE_CHECKING:
    from collections.abc import Iterator


SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup"

BASICS = "bash sh env sed sort head grep cut id uname dirname make".split()  # noqa: SIM905  # reads as a command line

# Stands for programs whose presence alone is asked for.
PROGRAM = "#!/bin/sh\nexit 0\n"
RUSTC = "#!/bin/sh\necho 'rustc {version} (0 2026-01-01)'\n"
APT_CACHE = "#!/bin/sh\necho '  Candidate: 1.99.0'\n"


class Machine:
    """A checkout and a PATH of their own, readable by everybody."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.bin = top / "bin"
        self.bin.mkdir()
        (top / "scripts").mkdir()
        shutil.copy(SETUP, top / "scripts")
        (top / "rust").mkdir()
        manifest = top / "rust" / "Cargo.toml"
        manifest.write_text('rust-version = "1.88"\n', "ascii")
        for name in BASICS:
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(os.path.realpath(found))

    def put(self, name: str, text: str = PROGRAM) -> None:
        """Install a program."""
        path = self.bin / name
        path.write_text(text, "ascii")
        path.chmod(0o755)

    def setup(self, *, root: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``scripts/setup system`` there."""
        drop = os.geteuid() == 0 and not root
        return subprocess.run(
            ["/bin/bash", "scripts/setup", "system"],
            cwd=self.top,
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            user=NOBODY if drop else None,
            group=NOBODY if drop else None,
            extra_groups=[] if drop else None,
        )


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Give a machine with everything but what the test leaves out."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        top.chmod(0o755)
        machine = Machine(top)
        for name in ("python3", "cc", "cargo"):
            machine.put(name)
        machine.put("rustc", RUSTC.format(version="1.99.0"))
        machine.put("apt-get")
        machine.put("apt-cache", APT_CACHE)
        yield machine


def test_nothing_is_missing(machine: Machine) -> None:
    """A machine that has everything is told nothing."""
    result = machine.setup()
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "name, message, hint",
    [
        ("python3", "python3 with venv is missing", "python3 python3-venv"),
        ("cc", "cc is missing", "gcc libc6-dev"),
        ("cargo", "Rust 1.88 or newer", "cargo rustc"),
    ],
)
def test_what_is_missing_is_named(
    machine: Machine, name: str, message: str, hint: str
) -> None:
    """Without root it stops, with the command that installs it."""
    (machine.bin / name).unlink()
    result = machine.setup()
    assert result.returncode == 1
    assert message in result.stderr
    assert f"hint: sudo apt-get install {hint}\n" in result.stderr


def test_an_old_rust_is_missing(machine: Machine) -> None:
    """A compiler below rust-version counts as none."""
    machine.put("rustc", RUSTC.format(version="1.87.9"))
    assert "Rust 1.88 or newer" in machine.setup().stderr


def test_no_package_has_a_new_rust(machine: Machine) -> None:
    """Then rustup is the hint, not a package that is too old."""
    machine.put("rustc", RUSTC.format(version="1.63.0"))
    machine.put("apt-cache", "#!/bin/sh\necho '  Candidate: 1.63.0'\n")
    result = machine.setup()
    assert result.returncode == 1
    assert "rustup" in result.stderr
    assert "apt-get install" not in result.stderr


@pytest.mark.needs_root
def test_root_installs_what_is_missing(machine: Machine) -> None:
    """Root gets the package by apt-get, and reads that it does."""
    (machine.bin / "cc").unlink()
    log = machine.top / "log"
    machine.put("apt-get", f'#!/bin/sh\necho "$*" >> {log}\n')
    result = machine.setup(root=True)
    assert result.returncode == 0
    assert "cc is missing: apt-get install gcc libc6-dev" in result.stderr
    calls = log.read_text("ascii").splitlines()
    assert calls[0].endswith("update")
    assert calls[1].endswith("gcc libc6-dev")
