"""
What protects the secrets of this process now: the posture.

Facts with evidence, not promises.  What is not stopped is listed in the
documentation's threat model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from secretmem import _policy, hazmat


if TYPE_CHECKING:
    from secretmem import _native
else:
    _native = _policy.bind()


class Posture(NamedTuple):
    """
    A snapshot; sizes are bytes.

    ``backend`` is ``"memfd_secret"``, or degraded ``"mlock"`` or ``"fake"``.
    ``gate`` is how the arena is closed between uses: ``"pku"`` (a protection
    key, per thread) or ``"mprotect"`` (for the whole process, while no
    operation of any thread runs).
    """

    backend: str
    degraded: bool
    gate: str
    fork: str
    strict_format: bool
    live: int
    live_inherit: int
    areas: int
    area_bytes: int
    stacks: int
    stacks_in_use: int
    stack_bytes: int
    heap_blocks: int
    heap_bytes: int
    views_open: int
    views_orphaned: int
    window_bytes: int
    locked_bytes: int
    unwiped: int
    dumpable: bool
    core_limit: int | None
    seccomp: bool
    exports: dict[str, int]
    evidence: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as a dictionary that json can write."""
        return self._asdict()


def posture() -> Posture:
    """
    Say what protects the secrets of this process now.

    It is a use: without memfd_secret(2) it raises UnavailableError.
    """
    stats = dict(_native.stats())
    backend = _policy.active.backend
    stats.pop("backend")
    stats.pop("epoch")
    core = _core_limit()
    # A read-only window is two mappings of its pages, and kernels that
    # count mappings count both.
    locked = sum(
        stats[k]
        for k in ("area_bytes", "stack_bytes", "heap_bytes", "window_bytes")
    )
    return Posture(
        backend=backend,
        degraded=backend != "memfd_secret",
        fork=_policy.active.fork,
        strict_format=_policy.active.strict_format,
        locked_bytes=locked,
        dumpable=_native.dumpable(),
        core_limit=core,
        seccomp=_native.seccomp_active(),
        exports=hazmat.counts(),
        evidence=_evidence(backend, stats["gate"]),
        **stats,
    )


def _core_limit() -> int | None:
    import resource

    soft = resource.getrlimit(resource.RLIMIT_CORE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _evidence(backend: str, gate: str) -> dict[str, str]:
    """Say how each fact is known."""
    mapped = _mapped_secretmem()
    return {
        "backend": {
            "memfd_secret": f"/proc/self/maps: {mapped} mappings of "
            "/secretmem",
            "mlock": "chosen by configure() or SECRETMEM_BACKEND",
            "fake": "chosen by configure() or the pytest plugin",
        }[backend],
        "gate": {
            "pku": "pkey_alloc(2) gave a key",
            "mprotect": "pkey_alloc(2) was refused or not wanted",
            "none": "the fake has none",
        }[gate],
        "dumpable": "prctl(2) PR_GET_DUMPABLE",
        "core_limit": "getrlimit(2) RLIMIT_CORE",
        "seccomp": "prctl(2) PR_GET_SECCOMP",
        "locked_bytes": "the allocator's own count",
    }


def _mapped_secretmem() -> int | str:
    from secretmem._limits import FILE_NAME

    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - a file of the kernel
            return sum(line.rstrip().endswith(FILE_NAME) for line in maps)
    except OSError:
        return "an unreadable number of"
