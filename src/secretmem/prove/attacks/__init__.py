"""
The attacks, one file each.

Every module here has an object ``ATTACK``.  A module whose attack has a part
that runs in the victim (a system call given a pointer, a stray read) has a
function ``inside`` too.  A new attack is a file and a line in `NAMES`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from secretmem.prove.attack import Attack


# In the order in which they are run and shown.
NAMES = (
    # through the kernel
    "proc_mem",
    "process_vm",
    "ptrace_peek",
    "full_scan",
    "gdb",
    "gcore",
    "core_dump",
    "core_dodump",
    "strace",
    "o_direct",
    "vmsplice",
    "zerocopy",
    "io_uring",
    "swap",
    "direct_map",
    "killed",
    "tamper_proc_mem",
    "tamper_process_vm",
    "tamper_ptrace",
    # files, descriptors, children
    "proc_fd",
    "map_files",
    "pidfd_getfd",
    "exec",
    "fork",
    # another process of the same user
    "hardened",
    "agent",
    # stray reads in the process
    "over_read",
    "wild_pointer",
    "wild_syscall",
    # copies left behind
    "residue",
    # Python itself
    "repr",
    "traceback",
    "pickle",
    "logging",
    # limits
    "plain_write",
    "kept_descriptor",
    "injected",
    "registers",
    "perf",
    "bpf_user",
)


def load() -> tuple[Attack, ...]:
    """Import every attack and return them in order."""
    return tuple(named(name) for name in NAMES)


def named(name: str) -> Attack:
    """Return the attack called ``name``; KeyError when there is none."""
    if name not in NAMES:
        raise KeyError(name)
    module = importlib.import_module(f"{__name__}.{name}")
    attack: Attack = module.ATTACK
    return attack
