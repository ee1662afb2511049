"""Core files: memory and registers of a process that was dumped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from audit.targets import holding, search_for
from leak import catalogue
from leak.driver import Setting, run
from secretmem.audit import AuditError, audit_core, audit_process
from support.patience import PATIENCE


pytestmark = [pytest.mark.needs_secretmem, pytest.mark.needs_ptrace]

KEY = os.urandom(32)


def _gcore(pid: int, folder: Path) -> Path:
    subprocess.run(
        ["gcore", "-o", folder / "core", str(pid)],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )
    return folder / f"core.{pid}"


@pytest.mark.needs_tool("gcore")
def test_a_core_file_shows_what_the_process_did(tmp_path: Path) -> None:
    """The same address and form; the file was searched to its end."""
    done = []
    with search_for("ed25519", KEY) as search, holding(KEY) as pid:
        live = audit_process(pid, search)
        core = _gcore(pid, tmp_path)
        report = audit_core(core, search, lambda *each: done.append(each))
    (there,), (here,) = live.findings, report.findings
    assert (here.form, here.address, here.size) == (
        there.form,
        there.address,
        there.size,
    )
    assert here.kind == "memory"
    assert report.complete
    size = core.stat().st_size
    assert report.searched == size
    assert done[-1] == (size, size)


@pytest.mark.needs_tool("gcore")
def test_control_a_clean_process(tmp_path: Path) -> None:
    """Another key is not there."""
    with search_for("aes", os.urandom(32)) as search, holding(KEY) as pid:
        report = audit_core(_gcore(pid, tmp_path), search)
    assert report.clean
    assert report.complete


@pytest.mark.needs_core_files
@pytest.mark.parametrize("ordinary", [True, False])
def test_the_kernels_core_file(ordinary: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """Bytes are in the core file of an abort; a Secret is not."""
    aborted = catalogue.programs("errors")["aborted"]
    done = run(aborted, Setting(tmp_path, ordinary=ordinary))
    (core,) = tmp_path.glob("core*")
    with search_for("raw", done.needle.value) as search:
        report = audit_core(core, search)
    assert report.clean != ordinary


def test_what_is_no_core_file(tmp_path: Path) -> None:
    """A program, a text and a cut file are refused, with a hint."""
    path = tmp_path / "file"
    with search_for("raw", KEY) as search:
        for content in (
            b"",
            b"\x7fELF\x02",
            Path("/proc/self/exe").read_bytes(),
        ):
            path.write_bytes(content)
            with pytest.raises(AuditError, match="no ELF core file") as caught:
                audit_core(path, search)
            assert "zstd -d" in str(caught.value.hint)
        with pytest.raises(AuditError, match="No such file"):
            audit_core(tmp_path / "nothing", search)
