"""Core files, by the kernel and by gcore: registers included, no secret."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from leak import catalogue
from leak.driver import Setting, only_secret_refused, problems, run
from leak.memory import scan_file
from support.patience import PATIENCE


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

ABORTED = catalogue.programs("errors")["aborted"]
EQUALS = catalogue.programs("uses")["equals"]


def _core(folder: Path) -> Path:
    (core,) = folder.glob("core*")
    return core


@pytest.mark.needs_core_files
def test_a_core_file_after_an_unhandled_exception(tmp_path: Path) -> None:
    """The traceback was printed, the process aborted; the core is clean."""
    done = run(ABORTED, Setting(tmp_path))
    assert "ValueError" in (tmp_path / "stderr").read_text("utf-8")
    assert not list(problems(done.looks, ordinary=False))
    assert not scan_file(_core(tmp_path), done.needles)


@pytest.mark.needs_core_files
def test_control_a_core_file_of_bytes(tmp_path: Path) -> None:
    """The same program on bytes objects leaves the value in its core."""
    done = run(ABORTED, Setting(tmp_path, ordinary=True))
    assert scan_file(_core(tmp_path), done.needles)


def _gcore(folder: Path, *, ordinary: bool) -> list[Path]:
    """Run a program; give a core of it while the value is alive."""
    cores: list[Path] = []

    def take(pid: int) -> None:
        if not cores:
            prefix = folder / "gcore"
            subprocess.run(
                ["gcore", "-o", prefix, str(pid)],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=PATIENCE,
            )
            cores.append(folder / f"gcore.{pid}")

    done = run(EQUALS, Setting(folder, ordinary=ordinary, also=take))
    assert all(only_secret_refused(look.refused) for look in done.looks)
    needles = done.needles
    return [core for core in cores if scan_file(core, needles)]


@pytest.mark.needs_tool("gcore")
def test_gcore(tmp_path: Path) -> None:
    """Gcore of a process with a live secret holds none of it."""
    assert not _gcore(tmp_path, ordinary=False)


@pytest.mark.needs_tool("gcore")
def test_control_gcore_of_bytes(tmp_path: Path) -> None:
    """Gcore of the same program on bytes objects holds the value."""
    assert _gcore(tmp_path, ordinary=True)
