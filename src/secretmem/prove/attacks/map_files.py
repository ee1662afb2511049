"""Open the victim's mapped files through /proc/PID/map_files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.prove import linux, maps, sharing
from secretmem.prove.attack import Attack, Cell, Layer, Outcome
from secretmem.prove.reading import seen


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


inside = sharing.share


def run(stage: Stage, kind: str) -> Cell:
    """Open the file behind every mapping of the kind."""
    with stage.victim(kind) as victim:
        shared = sharing.fill(victim, "map_files", keep=False)
        if not shared["file"]:
            return sharing.no_file(kind)
        return _open_each(victim, shared["address"])


def _open_each(victim: VictimHandle, address: int) -> Cell:
    """Open what is mapped at ``address`` and every secretmem mapping."""
    mappings = [
        mapping
        for mapping in maps.read_maps(victim.pid)
        if mapping.secret or mapping.start <= address < mapping.end
    ]
    how = f"open of {len(mappings)} links in /proc/PID/map_files"
    name, data = "", b""
    for mapping in mappings:
        link = f"{mapping.start:x}-{mapping.end:x}"
        path = f"/proc/{victim.pid}/map_files/{link}"
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            name = linux.error_name(error.errno)
            continue
        try:
            data += sharing.map_and_read(fd)
        finally:
            os.close(fd)
    if name and not data:
        text = f"{how}: {name}"
        return Cell(victim.kind, Outcome.REFUSED, text, name)
    return seen(victim.kind, victim.needle, data, how)


def requires() -> str | None:
    """Return why these links cannot be opened by this user."""
    for name in os.listdir("/proc/self/map_files"):  # noqa: PTH208 - first name only
        try:
            os.close(os.open(f"/proc/self/map_files/{name}", os.O_RDONLY))
        except PermissionError:
            return "needs root (CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE)"
        except OSError:
            continue
        break
    return None


ATTACK = Attack(
    name="map_files",
    title="open /proc/PID/map_files",
    layer=Layer.DESCRIPTOR,
    explanation=(
        "The file behind a mapping can be opened through "
        "/proc/PID/map_files even when the process has closed its "
        "descriptor. For secretmem files: ENXIO."
    ),
    run=run,
    requires=requires,
    locked=False,
)
