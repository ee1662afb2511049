"""Check of the running kernel against the known bugs of secret memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem._limits import PER_PROCESS
from secretmem.doctor.advisories import ACCOUNTING, ADVISORIES, judge
from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.advisories import Advisory
    from secretmem.doctor.finding import Status
    from secretmem.doctor.system import System


_NAME = "kernel.bugs"


def bugs(system: System) -> Iterator[Finding]:
    """
    Report each known bug that the running kernel has or may have.

    Upstream's version decides for a kernel with an unmodified name.  A
    distribution may have backported a fix, so there it only raises a note.
    """
    number = system.kernel.version
    if number is None:
        yield Finding(
            _NAME, "unknown", "kernel version unknown", system.kernel.text
        )
        return
    wanted = [item for item in ADVISORIES if _concerns(item, system)]
    hits = [item for item in wanted if judge(item, number) == "affected"]
    if system.regime is not None:
        # Behaviour decides, which no backport can hide.
        hits = [item for item in hits if item is not ACCOUNTING]
    seen = system.regime == PER_PROCESS
    if seen:
        yield _seen_accounting(system)
    for item in hits:
        yield _hit(item, system)
    clear = len(wanted) - len(hits) - seen
    yield Finding(
        _NAME,
        "ok",
        f"{clear} known bugs of secret memory are not in upstream "
        f"{system.kernel.base()}",
        f"table of {len(ADVISORIES)} in secretmem.doctor.advisories; "
        f"{len(ADVISORIES) - len(wanted)} do not concern this system",
    )


def _concerns(item: Advisory, system: System) -> bool:
    """Tell whether the condition of ``item`` may hold here."""
    if item.only == "lsm":
        return bool(system.names("sys/fs/selinux")) or bool(
            system.names("sys/fs/smackfs")
        )
    if item.only.startswith("CONFIG_"):
        return system.config(item.only) != "n"
    return not item.only or item.only == system.machine


def _seen_accounting(system: System) -> Finding:
    """Report the accounting bug as observed."""
    return Finding(
        _NAME,
        "finding",
        f"{ACCOUNTING.name}: {ACCOUNTING.title}",
        "observed: an untouched mapping is charged to this process at mmap; "
        f"fixed upstream in {', '.join(ACCOUNTING.fixed)}",
        ACCOUNTING.consequence,
        _update(system),
    )


def _hit(item: Advisory, system: System) -> Finding:
    """Report one bug of the table."""
    kernel = system.kernel
    status: Status = "finding" if kernel.plain else "note"
    evidence = (
        f"upstream {kernel.base()} has it; fixed in {', '.join(item.fixed)}"
    )
    if not kernel.plain:
        evidence += f"; {kernel.text} may carry a backport of the fix"
    return Finding(
        _NAME,
        status,
        f"{item.name}: {item.title}",
        evidence,
        item.consequence,
        _update(system),
    )


def _update(system: System) -> str:
    """Say how to get a fixed kernel, and where to look for a backport."""
    ways = {
        "Debian": "`apt update && apt full-upgrade`, then reboot; state: "
        "https://security-tracker.debian.org/tracker/source-package/linux",
        "Ubuntu": "`apt update && apt full-upgrade`, then reboot; state: "
        "https://ubuntu.com/security/cves",
        "Red Hat Enterprise Linux": "`dnf upgrade kernel`, then reboot; "
        "state: https://access.redhat.com/security/security-updates/cve",
        "Fedora": "`dnf upgrade kernel`, then reboot.",
        "SUSE": "`zypper update kernel-default`, then reboot; state: "
        "https://www.suse.com/security/cve/",
        "Amazon Linux": "`dnf upgrade kernel`, then reboot; state: "
        "https://explore.alas.aws.amazon.com/",
    }
    builder = system.kernel.builder
    if builder in ways:
        return ways[builder]
    if builder:
        return (
            "Ask whoever builds this kernel for one with the fix, or run an "
            "upstream release that has it."
        )
    return "Install a fixed upstream release and reboot."


CHECKS = (bugs,)
