"""
Stands where the compiled part stands, in tests: protects nothing.

It has the compiled module's names for secrets, areas and the process, and
keeps secrets in the memory of a model kernel (`secretmem.model`), which is
ordinary memory of this process. `configure(backend="fake")` or the pytest
plugin choose it; nothing else does. It has no cryptography: the first use of
`secretmem.crypto` on it raises `UnavailableError`.
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from secretmem.exceptions import UnavailableError
from secretmem.testing import _machine
from secretmem.testing._area import AreaBase, memfd_secret
from secretmem.testing._search import SearchBase
from secretmem.testing._secret import Counts, SecretBase
from secretmem.testing._view import WINDOWS, View


__all__ = [
    "AreaBase",
    "SearchBase",
    "SecretBase",
    "View",
    "build_info",
    "disable_speculation",
    "dumpable",
    "memfd_secret",
    "probe",
    "seccomp_active",
    "secure_exec",
    "set_dumpable",
    "set_no_new_privs",
    "settings",
    "start",
    "started",
    "stats",
    "trim",
]


class _Process:
    """What the process has asked for, since the fake can change nothing."""

    dumpable = True


def settings(backend: str, *, allow_pku: bool, inherit: bool) -> None:  # noqa: ARG001 the compiled module's shape
    """Take the fork rule; there is one backend and no gate."""
    Counts.by_default = inherit


def start() -> None:
    """Boot the machine now."""
    _machine.machine()


def started() -> bool:
    """Tell whether the machine was booted."""
    return _machine.running()


def stats() -> dict[str, Any]:
    """Give what is held, with the compiled module's names."""
    WINDOWS.collect()
    machine = _machine.machine()
    return {
        "backend": "fake",
        "gate": "none",
        "areas": machine.areas,
        "area_bytes": machine.area_bytes,
        "live": Counts.live,
        "live_inherit": Counts.inherit,
        "unwiped": 0,
        "stacks": 0,
        "stacks_in_use": 0,
        "stack_bytes": 0,
        "heap_blocks": 0,
        "heap_bytes": 0,
        "views_open": WINDOWS.open,
        "views_orphaned": len(WINDOWS.orphans),
        "window_bytes": 0,
        "epoch": 0,
    }


def trim() -> int:
    """Give idle areas back; the result is bytes."""
    return _machine.machine().trim() if started() else 0


def probe() -> tuple[Literal["ok", "errno", "signal"], int]:
    """Try the machine's memfd_secret."""
    process = _machine.machine().process
    try:
        process.close(process.memfd_secret(0))
    except OSError as error:
        return "errno", error.errno or 0
    return "ok", 0


def dumpable() -> bool:
    """Give what was set last."""
    return _Process.dumpable


def set_dumpable(dumpable: bool, /) -> None:  # noqa: FBT001 the compiled module's shape
    """Remember it; the process itself is not changed."""
    _Process.dumpable = dumpable
    _machine.machine().process.dumpable = dumpable


def set_no_new_privs() -> None:
    """Change nothing."""


def disable_speculation(which: int, /) -> None:
    """Change nothing."""


def seccomp_active() -> bool:
    """Tell that no filter is known."""
    return False


def secure_exec() -> bool:
    """Tell that the program has no more privilege than its caller."""
    return False


def build_info() -> dict[str, Any]:
    """Say what this is."""
    return {"version": "fake", "profile": "fake", "fault_injection": False}


def __getattr__(name: str) -> NoReturn:
    """Say that the fake has no such part of the compiled module."""
    if name.startswith("__"):
        raise AttributeError(name)
    raise UnavailableError(
        f"the fake backend has no {name}: it keeps secrets, and has no "
        "cryptography",
        reason="fake",
        remedy="Run this test on a machine with memfd_secret(2).",
    )
