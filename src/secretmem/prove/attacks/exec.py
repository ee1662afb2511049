"""Let the victim become another program, and look what that one has."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secretmem.prove import maps, sharing
from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.attacks import pidfd_getfd
from secretmem.prove.stage import VictimDiedError


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_SECONDS = 60.0


def inside(
    place: Place,
    fds: list[int],
    *,
    size: int = 0,
    keep: bool = False,
    program: list[str] | None = None,
) -> dict[str, Any]:
    """Share a file that is inherited, or replace the program."""
    if program is not None:
        os.dup2(fds[0], 0)
        os.execv(program[0], program)
    reply = sharing.share(place, fds, size=size, keep=keep)
    if reply.get("fd") is not None:
        fcntl.fcntl(reply["fd"], fcntl.F_SETFD, 0)
    return reply


def run(stage: Stage, kind: str) -> Cell:
    """Exec a program that waits, then steal and search."""
    program = _waiting_program()
    reader, writer = os.pipe()
    try:
        with stage.victim(kind) as victim:
            if not victim.is_secret:
                shared = sharing.fill(victim, "exec", keep=True)
                if not shared["file"]:
                    return sharing.no_file(kind)
            victim.tell(
                "call",
                reader,
                attack="exec",
                arguments={"program": program},
            )
            _wait_for(victim, program[0])
            cell = pidfd_getfd.steal(victim)
            left = maps.scan(victim.pid, victim.needle.find, _changeable)
            text = f"exec of {Path(program[0]).name}; {cell.evidence}; {left}"
            return Cell(kind, cell.outcome, text, cell.code)
    finally:
        os.close(reader)
        os.close(writer)


def _changeable(mapping: maps.Mapping) -> bool:
    """Leave read-only file mappings out of the search."""
    return mapping.changeable


def _waiting_program() -> list[str]:
    """Return a program that waits for its standard input."""
    cat = shutil.which("cat")
    if cat:
        return [cat]
    return [sys.executable, "-I", "-S", "-c", "input()"]


def _wait_for(victim: VictimHandle, program: str) -> None:
    """Wait until the victim runs ``program``; its socket closes then."""
    try:
        reply = victim.hear()
    except VictimDiedError:
        pass
    else:
        raise CannotRunError(f"the program was not started: {reply}")
    path = Path(f"/proc/{victim.pid}/exe")
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        if path.resolve() == Path(program).resolve():
            return
        time.sleep(0.001)
    raise CannotRunError(f"{program} does not run")


ATTACK = Attack(
    name="exec",
    title="exec: what the next program has",
    layer=Layer.DESCRIPTOR,
    explanation=(
        "The process executes another program. Memory is gone then, but "
        "descriptors without close-on-exec stay: the control is a memfd "
        "that was made inheritable, as programs do to hand memory on. A "
        "Secret has no descriptor, and SecretArea's is close-on-exec."
    ),
    run=run,
    locked=False,
)
