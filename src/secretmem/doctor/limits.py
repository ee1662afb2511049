"""Check of RLIMIT_MEMLOCK: how it counts, what is left, who has the rest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem._limits import PER_PROCESS, PER_USER, remedy, room, scan
from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem._limits import Holder
    from secretmem.doctor.finding import Status
    from secretmem.doctor.system import System


_LINE = "Max locked memory"

# A first area, one small stack and one window: below this nothing fits.
NEEDED = 64 * 1024

# Room for a program that holds keys, parses key files and signs.
COMFORTABLE = 1024 * 1024

_RULES = {
    PER_PROCESS: (
        "counted per process, by the length of its mappings, at mmap "
        "(EAGAIN); CAP_IPC_LOCK is exempt"
    ),
    PER_USER: (
        "counted per user, over all its processes, at the first touch of "
        "each page; root is not exempt"
    ),
    None: "how this kernel counts could not be established",
}

_SHOWN = 8


def memlock(system: System) -> Iterator[Finding]:
    """Report the limit in its regime, what is left and who holds the rest."""
    limits = system.limit(_LINE)
    if limits is None:
        yield Finding(
            "limits.memlock",
            "unknown",
            "RLIMIT_MEMLOCK could not be read",
            "/proc/self/limits not readable",
            remedy="`ulimit -l` prints it.",
        )
        return
    soft, hard = limits
    found, hidden = holders(system)
    left = _left(system, soft, found)
    exempt = system.regime == PER_PROCESS and system.may_lock()
    what, status = _judge(soft, left, exempt=exempt)
    evidence = (
        f"soft {_size(soft)}, hard {_size(hard)}; {_RULES[system.regime]}; "
        f"{_exempt(exempt=exempt)}{_held(found, hidden, system.regime)}"
    )
    if status == "ok":
        yield Finding("limits.memlock", status, what, evidence)
        return
    yield Finding(
        "limits.memlock",
        status,
        what,
        evidence,
        "A request beyond it raises LimitError; nothing falls back to "
        "ordinary memory.",
        remedy(COMFORTABLE, soft),
    )


def holders(system: System) -> tuple[list[Holder], int]:
    """Return who of this user holds secret memory, and how many are hidden."""
    uid = system.uid()
    if uid is None:
        return [], 0
    return scan(uid, os.fspath(system.root / "proc"))


def _left(system: System, soft: int | None, found: list[Holder]) -> int | None:
    """Return the bytes left; None when unlimited or not known."""
    if soft is None:
        return None
    if system.regime == PER_USER:
        return room(PER_USER, soft, found)
    locked = system.status("VmLck")
    if locked is None:
        return None
    return max(0, soft - int(locked.split()[0]) * 1024)


def _judge(
    soft: int | None, left: int | None, *, exempt: bool
) -> tuple[str, Status]:
    """Return the finding in words and its status."""
    if soft is None:
        return "RLIMIT_MEMLOCK is unlimited", "ok"
    if exempt:
        return "RLIMIT_MEMLOCK does not bind this process", "ok"
    if left is None:
        return f"RLIMIT_MEMLOCK is {_size(soft)}", "unknown"
    words = f"{_size(left)} of RLIMIT_MEMLOCK {_size(soft)} are left"
    if left < NEEDED:
        return f"{words}: not enough to start", "finding"
    if left < COMFORTABLE:
        return f"{words}: enough for a few small secrets", "note"
    return words, "ok"


def _held(found: list[Holder], hidden: int, regime: str | None) -> str:
    """Name the holders of this user."""
    parts = [
        f"pid {holder.pid} ({holder.comm}) {_size(holder.charged(regime))}"
        + (f" and {holder.descriptors} fds" if holder.descriptors else "")
        for holder in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        parts.append(f"{len(found) - _SHOWN} more")
    text = "held by this user: " + (", ".join(parts) or "nothing seen")
    return text + (f"; {hidden} processes not readable" if hidden else "")


def _exempt(*, exempt: bool) -> str:
    """Say that a capability lifts the limit here."""
    return "this process has CAP_IPC_LOCK; " if exempt else ""


def _size(size: int | None) -> str:
    """Name ``size`` bytes."""
    return "unlimited" if size is None else f"{size} bytes"


CHECKS = (memlock,)
