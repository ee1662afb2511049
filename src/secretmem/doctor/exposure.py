"""Checks of what reaches this process from outside, or guards it inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


# Flag in /proc/cpuinfo that the kernel sets when protection keys work:
# "ospke" on x86 (the bare "pku" says only what the processor has), "poe" on
# arm64.
_KEY_FLAGS = {"ospke", "poe"}

_YAMA = "proc/sys/kernel/yama/ptrace_scope"

_PERF = "proc/sys/kernel/perf_event_paranoid"

_HARDEN = "call `secretmem.harden()` at the start of the program"

# Debian's and Ubuntu's kernels know 3, upstream treats it as 2.
_PERF_CLOSED = 3


def protection_keys(system: System) -> Iterator[Finding]:
    """Report whether protection keys can close the arena per thread."""
    flags: set[str] = set()
    for line in (system.read("proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            flags = set(value.split())
            break
    name = "process.protection-keys"
    if not flags:
        yield Finding(
            name,
            "unknown",
            "processor flags could not be read",
            "/proc/cpuinfo has no flags line",
        )
    elif flags & _KEY_FLAGS:
        yield Finding(
            name,
            "ok",
            "protection keys close the arena for each thread",
            f"/proc/cpuinfo: {', '.join(sorted(flags & _KEY_FLAGS))}",
        )
    else:
        yield Finding(
            name,
            "note",
            "no protection keys: mprotect closes the arena instead",
            "/proc/cpuinfo: neither ospke (x86) nor poe (arm64)",
            "Each use costs two system calls, and while one thread has the "
            "arena open, stray reads of the other threads reach it too.",
            "Use a processor and a kernel with protection keys (Intel since "
            "Skylake-SP, AMD since Zen 3), and no `nopku` boot option.",
        )


def dumpable(system: System) -> Iterator[Finding]:
    """Report whether a process of the same user may attach to this one."""
    value = system.dumpable
    name = "process.dumpable"
    evidence = f"prctl(PR_GET_DUMPABLE) in this process: {value}"
    if value is None:
        yield Finding(name, "unknown", "dumpable state not known", "not asked")
    elif value == 1:
        yield Finding(
            name,
            "note",
            "programs start dumpable",
            evidence,
            "A process of the same uid may attach, inject system calls or "
            "take descriptors over (pidfd_getfd), unless Yama forbids it.",
            f"In the program, {_HARDEN}; it sets PR_SET_DUMPABLE to 0, which "
            "execve resets.",
        )
    else:
        yield Finding(name, "ok", "this process is not dumpable", evidence)


def ptrace_scope(system: System) -> Iterator[Finding]:
    """Report Yama's rule for who may attach to whom."""
    value = system.value(_YAMA)
    name = "process.ptrace-scope"
    if value is not None and value != "0":
        yield Finding(
            name,
            "ok",
            "Yama keeps unrelated processes of the same user from attaching",
            f"/{_YAMA}: {value}",
        )
        return
    absent = value is None
    yield Finding(
        name,
        "note",
        "any process of the same user may attach",
        f"/{_YAMA}: {'absent, no Yama' if absent else value}",
        "ptrace itself reads no secret page (EIO), but an attached process "
        "can make its victim write one out.",
        (
            f"In the program, {_HARDEN}."
            if absent
            else "`sysctl -w kernel.yama.ptrace_scope=1`, lasting: the line "
            "`kernel.yama.ptrace_scope = 1` in /etc/sysctl.d/50-ptrace.conf; "
            f"or, in the program, {_HARDEN}."
        ),
    )


def perf(system: System) -> Iterator[Finding]:
    """Report whether unprivileged users may sample processes."""
    value = system.value(_PERF)
    name = "process.perf"
    evidence = f"/{_PERF}: {value or 'not readable, no perf events'}"
    if value is None or int(value) >= _PERF_CLOSED:
        yield Finding(
            name, "ok", "unprivileged perf sampling is closed", evidence
        )
        return
    yield Finding(
        name,
        "note",
        "a process of the same user may sample registers and stacks",
        evidence,
        "A sample that falls into an operation on a secret can hold parts "
        "of it: perf copies registers and stack in the victim's context, "
        "where secret pages are readable.",
        f"In the program, {_HARDEN}. On Debian and Ubuntu kernels also "
        "`sysctl -w kernel.perf_event_paranoid=3`; upstream kernels treat 3 "
        "as 2.",
    )


CHECKS = (protection_keys, dumpable, ptrace_scope, perf)
