"""As the same user, attach to a process that called harden()."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer
from secretmem.prove.attacks import injected
from secretmem.prove.kinds import SECRET_KINDS
from secretmem.prove.reading import refused, seen
from secretmem.prove.stage import read_all


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_NOBODY = 65534


def inside(place: Place, _fds: list[int]) -> dict[str, Any]:
    """
    Become an ordinary user, and harden the process if a Secret is there.

    A change of the user makes a process undumpable; that is undone first,
    so that only harden() is seen.
    """
    _become_nobody()
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    if place.kind in SECRET_KINDS:
        import secretmem

        secretmem.harden()
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Inject code as the same user, in a process of that user."""
    how = "PTRACE_SEIZE by a process of the same user"
    with stage.victim(kind) as victim:
        victim.call("hardened")
        data, number = _as_same_user(victim)
        if number:
            return refused(kind, how, OSError(number, how))
        return seen(kind, victim.needle, data, f"{how}, code injected")


def _as_same_user(victim: VictimHandle) -> tuple[bytes, int]:
    """Return what a process of the victim's user gets, or its errno."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        number = 0
        try:
            _become_nobody()
            os.write(writer, injected.take(victim))
        except OSError as error:
            number = error.errno or 255
        except BaseException:  # noqa: BLE001 - a forked child must not return
            number = 255
        os._exit(number)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as source:
        data = read_all(source.fileno(), injected.ATTACK.seconds)
    status = os.waitpid(pid, 0)[1]
    return data, os.waitstatus_to_exitcode(status)


def _become_nobody() -> None:
    """Give up root, if this is root."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


ATTACK = Attack(
    name="hardened",
    title="same user, after harden()",
    layer=Layer.PROCESS,
    explanation=(
        "Another process of the same user attaches and injects code. A "
        "program that called secretmem.harden() is not dumpable any more: "
        "the kernel lets only root trace it, open its /proc files or take "
        "its descriptors. The control is a process that did not."
    ),
    run=run,
    requires=injected.requires,
)
