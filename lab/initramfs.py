"""
Build the guest's first file system: busybox, our programs, a few modules.

The archive is written here (cpio, format "newc", see
Documentation/driver-api/early-userspace/buffer-format.rst in the kernel), so
no tool of the host is needed.  The kernel accepts several archives one after
the other, so that the large part is built once per kernel and the job of one
run is appended to it.
"""

from __future__ import annotations

import gzip
import io
import lzma
import pathlib
import re
import shutil
import stat
from typing import TYPE_CHECKING

from lab.apt import LabError


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lab.kernels import Kernel


MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_rng",
    "crc32c_generic",
    "ext4",
    "overlay",
    "9p",
    "9pnet_virtio",
    "zram",
    "lzo",
    "lzo_rle",
)


class Archive:
    """A cpio archive in memory."""

    def __init__(self) -> None:
        """Begin an empty archive."""
        self._out = io.BytesIO()
        self._serial = 0

    def _entry(self, name: str, mode: int, content: bytes) -> None:
        self._serial += 1
        path = name.encode() + b"\0"
        fields = (
            *(self._serial, mode, 0, 0, 1, 0, len(content)),
            *(0, 0, 0, 0, len(path), 0),
        )
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        for part in (head + path, content):
            self._out.write(part + b"\0" * (-len(part) % 4))

    def directory(self, name: str) -> None:
        """Add a directory; its parents must be there already."""
        self._entry(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, content: bytes, *, run: bool = False) -> None:
        """Add a regular file, executable if *run*."""
        mode = 0o755 if run else 0o644
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def finish(self) -> bytes:
        """Close the archive and return it compressed."""
        self._entry("TRAILER!!!", 0, b"")
        return gzip.compress(self._out.getvalue(), 1)


def _key(name: str) -> str:
    return name.split(".ko", 1)[0].replace("-", "_")


def _read(path: pathlib.Path) -> bytes:
    raw = path.read_bytes()
    return lzma.decompress(raw) if path.suffix == ".xz" else raw


def _depends(module: bytes) -> list[str]:
    """Return what the module's own .modinfo section says it needs."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    names = found[1].decode().split(",") if found else []
    return [name for name in names if name]


def load_order(
    kernel: Kernel,
    wanted: Iterable[str],
) -> Iterator[tuple[str, bytes]]:
    """
    Yield name and content of each module, dependencies first.

    A module that the kernel has built in, or has not at all, is left out:
    the check that needs it says so in the guest.
    """
    paths = {_key(p.name): p for p in kernel.modules.rglob("*.ko*")}
    done: set[str] = set()

    def visit(name: str) -> Iterator[tuple[str, bytes]]:
        key = _key(name)
        if key in done or key not in paths:
            return
        done.add(key)
        content = _read(paths[key])
        for other in _depends(content):
            yield from visit(other)
        yield key, content

    for name in wanted:
        yield from visit(name)


def busybox() -> pathlib.Path:
    """
    Return the host's static busybox.

    Raises:
        LabError: it is not installed.
    """
    found = shutil.which("busybox")
    if found is None:
        msg = "busybox is missing: apt-get install busybox-static"
        raise LabError(msg)
    return pathlib.Path(found)


def base(
    kernel: Kernel,
    programs: Iterable[pathlib.Path],
    modules: Iterable[str] = MODULES,
) -> bytes:
    """Return the large archive for *kernel*, with *programs* in /bin."""
    archive = Archive()
    for name in ("bin", "dev", "etc", "mnt", "mod", "proc", "sys", "tmp"):
        archive.directory(name)
    archive.file("bin/busybox", busybox().read_bytes(), run=True)
    archive.link("bin/sh", "busybox")
    for program in programs:
        archive.file(f"bin/{program.name}", program.read_bytes(), run=True)
    init = pathlib.Path(__file__).with_name("init")
    archive.file("init", init.read_bytes(), run=True)
    order = []
    for name, content in load_order(kernel, modules):
        archive.file(f"mod/{name}.ko", content)
        order.append(f"{name}\n")
    archive.file("mod/order", "".join(order).encode())
    return archive.finish()


def job(script: str, files: dict[str, pathlib.Path] | None = None) -> bytes:
    """Return the small archive with this run's *script* and *files*."""
    archive = Archive()
    archive.file("job", script.encode(), run=True)
    for parent in sorted({p.rpartition("/")[0] for p in files or {}} - {""}):
        archive.directory(parent)
    for name, path in (files or {}).items():
        archive.file(name, path.read_bytes())
    return archive.finish()
