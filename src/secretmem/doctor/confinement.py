"""Checks of what confines this process: sandbox, seccomp filter, module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem._availability import MACHINES, remedy_for
from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


# What a filter answers, in the order of the table of seccomp(2) actions.
_REFUSALS = {"EPERM", "ENOSYS", "EACCES", "SIGSYS"}

# Line that admits the call, by kind of container.
_LINES = {
    "kubernetes": (
        "In the Pod: `securityContext: {seccompProfile: {type: Localhost, "
        "localhostProfile: secretmem.json}}`, where the profile on the node "
        'contains `{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}`; '
        "or `type: RuntimeDefault` with containerd 1.7 or later."
    ),
    "docker": (
        "Use Docker Engine 23.0 or later, or `docker run --security-opt "
        "seccomp=secretmem.json` with "
        '`{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}` in the '
        "profile's `syscalls` list."
    ),
    "podman": (
        "Use a containers-common that lists memfd_secret, or `podman run "
        "--security-opt seccomp=secretmem.json` with "
        '`{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}`.'
    ),
}


def gvisor(system: System) -> Iterator[Finding]:
    """Report gVisor, whose kernel has no memfd_secret."""
    if system.gvisor():
        yield Finding(
            "sandbox.gvisor",
            "finding",
            "this process runs on gVisor's kernel",
            f"/proc/version: {system.value('proc/version')}",
            "memfd_secret answers ENOSYS, and mlock keeps nothing in RAM.",
            remedy_for("gvisor"),
        )


def container(system: System) -> Iterator[Finding]:
    """Report the container, since it decides about filter and limits."""
    kind, evidence = container_kind(system)
    if kind:
        yield Finding(
            "sandbox.container",
            "ok",
            f"this process runs in a container ({kind})",
            evidence,
            "The runtime sets the seccomp filter and RLIMIT_MEMLOCK; the "
            "kernel and its boot options are the host's.",
        )
    else:
        yield Finding("sandbox.container", "ok", "no container seen", evidence)


def container_kind(system: System) -> tuple[str, str]:
    """
    Return what kind of container this is ("" for none) and the evidence.

    The kinds: "kubernetes", "docker", "podman", "lxc", "systemd-nspawn" and
    "unknown" for a namespace that names none of them.
    """
    if "KUBERNETES_SERVICE_HOST" in system.environ:
        return "kubernetes", "environment: KUBERNETES_SERVICE_HOST"
    if system.exists("run/.containerenv"):
        return "podman", "/run/.containerenv exists"
    if system.exists(".dockerenv"):
        return "docker", "/.dockerenv exists"
    named = system.environ.get("container") or system.value(
        "run/systemd/container"
    )
    if named:
        return named, f"container={named}"
    groups = system.read("proc/1/cgroup") or ""
    for word, kind in (
        ("kubepods", "kubernetes"),
        ("docker", "docker"),
        ("libpod", "podman"),
        ("lxc", "lxc"),
    ):
        if word in groups:
            return kind, f"/proc/1/cgroup names {word}"
    return "", "no container file, variable or control group"


def seccomp(system: System) -> Iterator[Finding]:
    """Report whether a seccomp filter is active and what it answers."""
    mode = system.status("Seccomp")
    filters = system.status("Seccomp_filters")
    result = system.outcome.call
    evidence = (
        f"/proc/self/status: Seccomp: {mode}, Seccomp_filters: "
        f"{filters or 'not shown'}; memfd_secret in a child: {result}"
    )
    name = "sandbox.seccomp"
    if mode is None:
        yield Finding(name, "unknown", "seccomp state not shown", evidence)
    elif mode == "0":
        yield Finding(name, "ok", "no seccomp filter", evidence)
    elif result == "ok":
        yield Finding(
            name, "ok", "a seccomp filter is active and allows it", evidence
        )
    elif result in _REFUSALS and not _other_cause(system, result):
        yield Finding(
            name,
            "finding",
            "a seccomp filter "
            + ("kills for" if result == "SIGSYS" else "refuses")
            + " memfd_secret",
            evidence,
            "Programs that require secret memory raise UnavailableError"
            + (
                "; one that calls it without a probe dies."
                if result == "SIGSYS"
                else "."
            ),
            _LINES.get(container_kind(system)[0], remedy_for("seccomp")),
        )
    else:
        yield Finding(
            name,
            "note",
            "a seccomp filter is active",
            evidence,
            "Whether it refuses memfd_secret cannot be told: the call fails "
            "for another reason or was not tried.",
        )


def lsm(system: System) -> Iterator[Finding]:
    """Report the security modules and this process's confinement."""
    modules = system.value("sys/kernel/security/lsm")
    label = system.value("proc/self/attr/current")
    lockdown = system.value("sys/kernel/security/lockdown")
    enforcing = system.value("sys/fs/selinux/enforce")
    evidence = (
        f"/sys/kernel/security/lsm: {modules or 'not readable'}; label: "
        f"{(label or 'none').rstrip(chr(0))}; SELinux enforcing: "
        f"{enforcing or 'no SELinux'}; lockdown: {lockdown or 'not shown'}"
    )
    if system.outcome.call == "EACCES" or (
        system.outcome.call == "EPERM" and system.filtered() is False
    ):
        yield Finding(
            "sandbox.lsm",
            "finding",
            "a security module refuses the secretmem file",
            evidence,
            "Programs that require secret memory raise UnavailableError.",
            remedy_for("lsm"),
        )
    else:
        yield Finding(
            "sandbox.lsm",
            "ok",
            "no security module refuses secret memory",
            evidence,
        )


def _other_cause(system: System, result: str) -> bool:
    """Tell whether ENOSYS has a cause that is more certain than a filter."""
    if result != "ENOSYS":
        return False
    return (
        system.gvisor()
        or system.built() is False
        or system.switch() is False
        or system.machine not in MACHINES
    )


CHECKS = (gvisor, container, seccomp, lsm)
