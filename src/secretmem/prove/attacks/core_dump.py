"""Let the victim abort, and search the core file that the kernel writes."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.reading import seen_in_dump


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_PATTERN = Path("/proc/sys/kernel/core_pattern")
_ALL_MEMORY = "0x1ff"  # every bit of coredump_filter, core(5)


def inside(_place: Place, _fds: list[int], directory: str) -> dict[str, Any]:
    """Switch core files on, of all kinds of memory, in ``directory``."""
    os.chdir(directory)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    Path("/proc/self/coredump_filter").write_text(_ALL_MEMORY, "ascii")
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Send SIGABRT to a victim that holds its secret open."""
    return dump(stage, kind)


def dump(stage: Stage, kind: str, before: str = "") -> Cell:
    """Let a victim abort after it ran ``inside`` of attack ``before``."""
    directory = Path(tempfile.mkdtemp(dir=stage.directory))
    with stage.victim(kind) as victim:
        victim.call("core_dump", directory=str(directory))
        victim.ask("open")
        if before:
            victim.call(before)
        began = time.time()
        victim.kill(signal.SIGABRT)
        ending = victim.ending()
        if not ending.get("core"):
            raise CannotRunError(f"the kernel wrote no core file ({ending})")
        core = _find(directory, victim, began)
        data = core.read_bytes()
        core.unlink()
    how = "core file after SIGABRT"
    return seen_in_dump(victim, data, how)


def requires() -> str | None:
    """Return why no core file can be looked at here."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return "core files are forbidden: the hard RLIMIT_CORE is 0"
    pattern = _PATTERN.read_text("utf-8").strip()
    if pattern.startswith("|"):
        program = Path(pattern[1:].split()[0]).name
        return f"cores are piped to a program ({program}), core_pattern"
    return None


def _find(directory: Path, victim: VictimHandle, began: float) -> Path:
    """Return the core file of ``victim``, following core_pattern."""
    pattern = _PATTERN.read_text("utf-8").strip()
    place = directory / pattern
    files = place.parent.glob(_wildcard(place.name) + "*")
    fresh = [f for f in files if f.stat().st_mtime >= began - 1]
    named = [f for f in fresh if str(victim.pid) in f.name] or fresh
    if len(named) != 1:
        raise CannotRunError(f"no single core file in {place.parent}")
    return named[0]


def _wildcard(pattern: str) -> str:
    """Replace the specifiers of core_pattern such as %p, core(5)."""
    parts = pattern.split("%")
    return parts[0] + "".join(f"*{part[1:]}" for part in parts[1:])


ATTACK = Attack(
    name="core_dump",
    title="core file after SIGABRT",
    layer=Layer.KERNEL,
    explanation=(
        "A program crashes and the kernel writes its memory to a file, here "
        "with every kind of memory switched on in coredump_filter. "
        "MADV_DONTDUMP keeps mlocked memory out as well; secretmem pages "
        "stay out whatever is asked for."
    ),
    run=run,
    requires=requires,
    locked=False,
)
