"""Let the victim write its secret to disk with O_DIRECT, open(2)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.kinds import Span
from secretmem.prove.reading import seen, try_inside


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


# Here O_DIRECT is an ordinary, copying write (magic numbers of statfs(2)).
_COPYING = {"tmpfs": 0x01021994, "ramfs": 0x858458F6}


def inside(
    _place: Place, fds: list[int], *, address: int, size: int
) -> dict[str, Any]:
    """Write the secret's page, as the device wants it: aligned and whole."""
    page = Span(address, size).page
    return {"result": linux.write_from(fds[0], page, linux.PAGE)}


def run(stage: Stage, kind: str) -> Cell:
    """Open a file with O_DIRECT, hand it to the victim, read what came."""
    path = _directory(stage.directory) / f"secretmem-o_direct-{os.getpid()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_DIRECT
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        name = linux.error_name(error.errno)
        raise CannotRunError(f"no file with O_DIRECT here: {name}") from error
    try:
        with stage.victim(kind) as victim:
            how = "write(2) from the secret's page to an O_DIRECT file"
            with victim.opened() as span:
                cell = try_inside(victim, how, "o_direct", span, fd)
            return cell or seen(kind, victim.needle, path.read_bytes(), how)
    finally:
        os.close(fd)
        path.unlink()


def _directory(first: Path) -> Path:
    """Return a directory on a disk, where O_DIRECT is direct."""
    for place in (first, Path("/var/tmp"), Path.home(), Path.cwd()):  # noqa: S108 - O_EXCL, mode 0600
        if os.access(place, os.W_OK) and not _in_memory(place):
            return place
    raise CannotRunError("no writable directory on a disk (O_DIRECT)")


def _in_memory(place: Path) -> bool:
    """Tell whether a directory lies in a file system without a device."""
    return linux.file_system(place) in _COPYING.values()


ATTACK = Attack(
    name="o_direct",
    title="O_DIRECT write from the secret",
    layer=Layer.KERNEL,
    explanation=(
        "A device is to fetch the secret itself, past the processor: the "
        "kernel has to pin the page for DMA. Runs inside the process, with "
        "the secret open, and is refused all the same."
    ),
    run=run,
)
