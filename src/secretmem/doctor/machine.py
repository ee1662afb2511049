"""Checks of where memory goes to disk: swap, hibernation, dumps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


_LOADED = "sys/kernel/kexec_crash_loaded"

_PATTERN = "proc/sys/kernel/core_pattern"


def swap(system: System) -> Iterator[Finding]:
    """Report swap areas on unencrypted disks."""
    text = system.read("proc/swaps")
    name = "machine.swap"
    if text is None:
        yield Finding(
            name, "unknown", "swap state not known", "/proc/swaps unreadable"
        )
        return
    areas = [line.split()[0] for line in text.splitlines()[1:] if line]
    plain = [area for area in areas if not _harmless(system, area)]
    evidence = f"/proc/swaps: {', '.join(areas) or 'none'}"
    if not plain:
        yield Finding(name, "ok", "no swap on an unencrypted disk", evidence)
        return
    yield Finding(
        name,
        "note",
        f"swap on {', '.join(plain)}, not known to be encrypted",
        evidence,
        "Secret pages are never swapped. Copies that a program made in "
        "ordinary memory (an exported str, a library's buffer) can be.",
        "`swapoff -a`; for one service `MemorySwapMax=0` in its unit; for "
        "one container `docker run --memory=SIZE --memory-swap=SIZE` with "
        "the same size; or encrypt: `swap /dev/DEVICE /dev/urandom "
        "swap,cipher=aes-xts-plain64` in /etc/crypttab.",
    )


def hibernation(system: System) -> Iterator[Finding]:
    """Report what secret memory and hibernation do to each other here."""
    states = (system.value("sys/power/state") or "").split()
    disk = system.value("sys/power/disk")
    evidence = (
        f"/sys/power/state: {' '.join(states) or 'not readable'}; "
        f"/sys/power/disk: {disk or 'absent'}"
    )
    name = "machine.hibernation"
    if disk is None:
        yield Finding(name, "ok", "the kernel does not hibernate", evidence)
    elif disk == "[disabled]":
        yield Finding(
            name,
            "note",
            "hibernation is disabled at the moment",
            evidence,
            "An open secretmem file anywhere on the machine does that; so "
            "do lockdown, `nohibernate` and a missing swap area.",
            "`sudo secretmem ps` names the processes that hold secret "
            "memory; end them, or close their secrets, and it is allowed "
            "again at once.",
        )
    else:
        yield Finding(
            name,
            "note",
            "hibernation works until a program holds secret memory",
            evidence,
            "While one secretmem file is open anywhere the kernel answers "
            "EPERM. The image on disk never contains secret pages, but the "
            "rest of memory.",
            "To suspend laptops that run such programs use `systemctl "
            "suspend`, or end the programs first.",
        )


def kdump(system: System) -> Iterator[Finding]:
    """Report a loaded crash kernel, which dumps all of memory."""
    value = system.value(_LOADED)
    evidence = f"/{_LOADED}: {value or 'not readable'}"
    name = "machine.kdump"
    if value is None:
        yield Finding(name, "ok", "no crash kernel can be loaded", evidence)
    elif value == "0":
        yield Finding(name, "ok", "no crash kernel is loaded", evidence)
    else:
        yield Finding(
            name,
            "finding",
            "a crash kernel is loaded",
            evidence,
            "After a panic it reads all physical memory, secret pages too, "
            "and usually writes them to disk.",
            "`systemctl disable --now kdump` (Debian: `kdump-tools`) and "
            "remove `crashkernel=` from the kernel command line; or keep it "
            "and store dumps encrypted.",
        )


def core_pattern(system: System) -> Iterator[Finding]:
    """Report whether core files are written, and where they go."""
    pattern = system.value(_PATTERN)
    limits = system.limit("Max core file size")
    soft = limits[0] if limits else "not shown"
    evidence = (
        f"/{_PATTERN}: {pattern or 'not readable'}; soft RLIMIT_CORE: "
        f"{'unlimited' if soft is None else soft}"
    )
    name = "machine.core"
    piped = (pattern or "").startswith("|")
    if pattern is None:
        yield Finding(name, "unknown", "core pattern not known", evidence)
    elif not piped and soft == 0:
        yield Finding(name, "ok", "no core files are written", evidence)
    else:
        where = "to a program" if piped else "to files"
        yield Finding(
            name,
            "note",
            f"core dumps go {where}",
            evidence,
            "They never contain secret pages, but registers, and whatever a "
            "program copied into ordinary memory.",
            "In the program, call `secretmem.harden()`, which makes it not "
            "dumpable; for a service `LimitCORE=0` in its unit (a pipe "
            "ignores it); for systemd-coredump `Storage=none` in "
            "/etc/systemd/coredump.conf.",
        )


def _harmless(system: System, area: str) -> bool:
    """Tell whether swap ``area`` is RAM (zram) or an encrypted device."""
    device = area.rpartition("/")[2]
    if device.startswith("zram"):
        return True
    uuid = system.value(f"sys/block/{device}/dm/uuid") or ""
    return uuid.startswith("CRYPT-")


CHECKS = (swap, hibernation, kdump, core_pattern)
