"""Read the open secret with a BPF program in the victim's context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, Cell, Layer, Promise
from secretmem.prove.bpf import READ_USER, MemoryProbe
from secretmem.prove.reading import try_targets


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place, Span
    from secretmem.prove.stage import Stage


def inside(_place: Place, _fds: list[int]) -> dict[str, Any]:
    """Do nothing: the system calls of this answer are enough."""
    return {}


def run(stage: Stage, kind: str) -> Cell:
    """Let each system call of the victim read one place."""
    with (
        stage.victim(kind) as victim,
        victim.opened(),
        MemoryProbe(victim.pid, READ_USER) as probe,
    ):

        def read(span: Span) -> bytes:
            probe.aim(span.address)
            victim.call("bpf_user")
            return probe.take()

        how = "bpf_probe_read_user at a system call of the victim"
        return try_targets(victim, victim.targets()[:1], how, read)


def requires() -> str | None:
    """Return why no BPF program can be loaded."""
    try:
        MemoryProbe(0, READ_USER).close()
    except OSError as error:
        name = linux.error_name(error.errno)
        return f"bpf: {name} (needs root: CAP_BPF and CAP_PERFMON)"
    return None


ATTACK = Attack(
    name="bpf_user",
    title="BPF in the process's context",
    layer=Layer.LIMIT,
    explanation=(
        "Root can attach a BPF program to a system call of the process; it "
        "reads user memory through the process's own page tables, as the "
        "process does. Only what is open can be read this way: an open "
        "view is, the closed arena is not (with the mprotect gate)."
    ),
    run=run,
    requires=requires,
    promise=Promise.READABLE,
)
