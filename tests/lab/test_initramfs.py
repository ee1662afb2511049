"""The first file system of a guest is written by us; busybox reads it."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import initramfs
from lab.kernels import Kernel


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.needs_tool("busybox")
def test_archive_is_read_by_another_program(tmp_path: Path) -> None:
    """Directories, files, modes and links arrive as they were put in."""
    archive = initramfs.Archive()
    archive.directory("bin")
    archive.file("bin/run", b"#!/bin/sh\n", run=True)
    archive.file("text", b"odd length")
    archive.link("bin/sh", "run")
    subprocess.run(
        ["busybox", "cpio", "-i", "-d"],
        input=gzip.decompress(archive.finish()),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    assert (tmp_path / "text").read_bytes() == b"odd length"
    assert (tmp_path / "bin/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "text").stat().st_mode & 0o777 == 0o644
    assert str((tmp_path / "bin/sh").readlink()) == "run"


def _modules(folder: Path) -> Kernel:
    """Write modules whose needs form a small graph, one of them packed."""
    needs = {"top": b"middle,low-est", "middle": b"low_est", "low_est": b""}
    for name, others in needs.items():
        text = b"license=GPL\0depends=" + others + b"\0name=x\0"
        (folder / f"{name.replace('_', '-')}.ko").write_bytes(b"\x7f" + text)
    packed = folder / "middle.ko"
    content = lzma.compress(b"\0depends=low_est\0")
    packed.with_suffix(".ko.xz").write_bytes(content)
    packed.unlink()
    return Kernel("6.1.0", folder, folder, None)


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    """Each comes once; one that the kernel lacks is left out."""
    order = initramfs.load_order(_modules(tmp_path), ["top", "absent"])

    assert [name for name, _ in order] == ["low_est", "middle", "top"]


def test_job_makes_the_folders_of_its_files(tmp_path: Path) -> None:
    """A file in a folder that does not exist would be lost by the kernel."""
    (tmp_path / "image").write_bytes(b"kernel")
    whole = gzip.decompress(
        initramfs.job("exit 0\n", {"crash/vmlinuz": tmp_path / "image"}),
    )

    assert whole.index(b"crash\0") < whole.index(b"crash/vmlinuz\0")
