"""
What kind of kernel runs here: a profile with a name.

Kernels differ where they may: who pays for locked pages, and whether an
inherited mapping may grow. Each such difference is a trait that is found by
trying, never by the version. The profile's name tells a reader which rules
the expectations of this run follow.
"""

from __future__ import annotations

import os
import platform
import re
from typing import TYPE_CHECKING, NamedTuple

from conformance.choices import BASE, STRANGER
from conformance.syscalls import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PAGE,
    PROT_NONE,
    PROT_RW,
)
from conformance.world import Target
from secretmem.model import Config


if TYPE_CHECKING:
    from conformance.world import LiveWorld


class Profile(NamedTuple):
    """
    A kernel's traits.

    Attributes:
        release: version, major and minor.
        per_user: RLIMIT_MEMLOCK is charged per user at first touch (the fix
            of CVE-2026-93243), not per process at mmap.
        mremap_fixed: an inherited mapping is refused to grow.
        mem_forces: /proc/PID/mem ignores a mapping's rights.

    """

    release: tuple[int, int]
    per_user: bool
    mremap_fixed: bool = False
    mem_forces: bool = True

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits' names, the basic one first."""
        basic = "per-user-accounting" if self.per_user else "old-accounting"
        more = {
            "mremap-bypass-fixed": self.mremap_fixed,
            "proc-mem-not-forced": not self.mem_forces,
        }
        return (basic, *(name for name, has in more.items() if has))

    @property
    def name(self) -> str:
        """The traits in one word."""
        return "+".join(self.traits)

    @property
    def config(self) -> Config:
        """The model's machine with these traits."""
        return Config(
            version=self.release,
            cmdline="secretmem.enable=1",
            accounting="user" if self.per_user else "process",
            mremap_fixed=self.mremap_fixed,
            mem_forces=self.mem_forces,
        )


def release() -> tuple[int, int]:
    """Give the running kernel's version, major and minor."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    assert found is not None
    return int(found[1]), int(found[2])


def observe(world: LiveWorld) -> Profile:
    """Find the profile of the running kernel by trying."""
    return Profile(
        release(), _per_user(world), _mremap_fixed(world), _mem_forces(world)
    )


def unprivileged() -> int:
    """Give a user id without privileges that a worker can have."""
    return os.getuid() or STRANGER


def _per_user(world: LiveWorld) -> bool:
    """With a limit of 0, mmap is refused only by the old accounting."""
    process = world.spawn(unprivileged(), 0)
    fd = world.do(process, "memfd_secret", 0).what
    world.do(process, "ftruncate", fd, PAGE)
    mapped = world.do(process, "mmap", PAGE, PROT_RW, MAP_SHARED, fd)
    return mapped.kind == "value"


def _mremap_fixed(world: LiveWorld) -> bool:
    process = world.spawn(unprivileged(), 4 * PAGE)
    fd = world.do(process, "memfd_secret", 0).what
    world.do(process, "ftruncate", fd, 2 * PAGE)
    flags = MAP_SHARED | MAP_FIXED
    world.do(process, "mmap", PAGE, PROT_RW, flags, fd, 0, BASE)
    child = world.fork(process).what
    grown = world.do(child, "mremap", BASE, PAGE, 2 * PAGE)
    return grown.kind == "errno"


def _mem_forces(world: LiveWorld) -> bool:
    """Write to a page of its own that the process may not touch."""
    process = world.spawn(unprivileged(), 0)
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
    world.do(process, "mmap", PAGE, PROT_NONE, flags, -1, 0, BASE)
    written = world.do(process, "mem_write", Target(process), BASE, b"x")
    return written.kind == "value"
