"""Checks of the kernel: is memfd_secret(2) there, and is it switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem._availability import (
    FIRST,
    MACHINES,
    ON_BY_DEFAULT,
    PARAMETER,
    explain,
    remedy_for,
    version_of,
)
from secretmem.doctor.advisories import DIRECT_MAP, judge
from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


_WRONG_NAME = "secretmem_enable"

_CONFIG = "CONFIG_SECRETMEM"

_PAGE = 4096


def call(system: System) -> Iterator[Finding]:
    """Report whether a page of secret memory can be had at all."""
    outcome = system.outcome
    name = "kernel.call"
    if outcome.works:
        yield Finding(
            name,
            "ok",
            "memfd_secret works",
            "a child made a descriptor, mapped one page and filled it",
        )
    elif outcome.call == "unknown":
        yield Finding(
            name,
            "unknown",
            "memfd_secret was not tried",
            "no child process could be run for the probe",
            "Whether secret memory is available is known at its first use.",
            "Allow this program to start a process, then run it again.",
        )
    elif outcome.call == "ok":
        yield _no_page(outcome.refused)
    else:
        yield _unavailable(system, outcome.call)


def version(system: System) -> Iterator[Finding]:
    """Report the release against the releases that brought the call."""
    number = version_of(system.release())
    kernel = system.kernel
    builder = kernel.builder or "an unmodified name"
    evidence = (
        f"/proc/sys/kernel/osrelease: {kernel.text or 'not readable'}; "
        f"upstream {kernel.base()}; built by: {builder}"
    )
    name = "kernel.version"
    if number is None:
        yield Finding(name, "unknown", "kernel release unknown", evidence)
    elif number < FIRST and not system.gvisor():
        yield Finding(
            name,
            "finding",
            "the kernel is older than 5.14, which brought memfd_secret",
            evidence,
            "The call answers ENOSYS: no secret memory.",
            remedy_for("kernel-old"),
        )
    else:
        yield Finding(name, "ok", f"kernel {kernel.text}", evidence)


def config(system: System) -> Iterator[Finding]:
    """Report whether the kernel was built with secret memory."""
    built = system.config(_CONFIG)
    seen = f"{_CONFIG}={built} in the kernel's configuration"
    if built is None:
        present = "secretmem" in system.names("sys/module")
        seen = (
            "/sys/module/secretmem exists"
            if present
            else "no configuration file readable, no /sys/module/secretmem"
        )
        built = "y" if present else None
    name = "kernel.config"
    if built == "y":
        yield Finding(name, "ok", "the kernel has secret memory", seen)
    elif built == "n":
        yield Finding(
            name,
            "finding",
            f"the kernel was built without {_CONFIG}",
            seen,
            "The call answers ENOSYS whatever the boot options say.",
            f"Use a kernel built with {_CONFIG}=y; no module can add it.",
        )
    else:
        yield Finding(
            name,
            "unknown",
            f"{_CONFIG} could not be read",
            seen,
            remedy="Run as root, or `zgrep SECRETMEM /proc/config.gz`.",
        )


def switch(system: System) -> Iterator[Finding]:
    """Report the boot switch, and an option of the wrong name."""
    shown = system.value(PARAMETER)
    state = system.switch()
    default = "on since 6.5" if _on_by_default(system) else "off before 6.5"
    option = system.boot_option("secretmem.enable")
    evidence = (
        f"/{PARAMETER}: {shown or 'not readable'}; kernel command line: "
        f"secretmem.enable={option or '(not given)'}; default: {default}"
    )
    name = "kernel.switch"
    if state is False:
        yield Finding(
            name,
            "finding",
            "the boot switch secretmem.enable is off",
            evidence,
            "memfd_secret answers ENOSYS: no secret memory.",
            remedy_for("switch-off"),
        )
    elif state is None:
        yield Finding(name, "unknown", "the switch is not shown", evidence)
    else:
        yield Finding(name, "ok", "secretmem.enable is on", evidence)
    yield from _wrong_option(system)


def architecture(system: System) -> Iterator[Finding]:
    """Report the machine type, and what arm64 needs on top."""
    name = "kernel.architecture"
    machine = system.machine
    if machine not in MACHINES:
        yield Finding(
            name,
            "finding",
            f"Linux has no memfd_secret on {machine}",
            f"uname -m: {machine}",
            "The call answers ENOSYS.",
            "Use a machine of one of these kinds: " + ", ".join(MACHINES),
        )
    elif machine == "aarch64":
        yield _direct_map(system)
    else:
        yield Finding(
            name,
            "ok",
            f"{machine} can take single pages out of its direct map",
            f"uname -m: {machine}",
        )


def page_size(system: System) -> Iterator[Finding]:
    """Report pages of a size that secretmem is not written for."""
    size = system.page_size
    if size is not None and size != _PAGE:
        yield Finding(
            "kernel.page-size",
            "unavailable",
            f"this kernel's pages are {size} bytes",
            f"sysconf(SC_PAGE_SIZE): {size}",
            f"secretmem works with pages of {_PAGE} bytes only and raises "
            "UnavailableError.",
            remedy_for("page-size"),
        )


def _unavailable(system: System, result: str) -> Finding:
    """Explain a call that failed."""
    error = explain(result, system)
    cause = str(error).removesuffix(error.remedy).rstrip(" .")
    return Finding(
        "kernel.call",
        "unavailable",
        cause,
        f"memfd_secret in a child: {result} (reason: {error.reason})",
        "Programs that require secret memory raise UnavailableError.",
        error.remedy,
    )


def _no_page(result: str) -> Finding:
    """Report that the call works and not one page can be had."""
    return Finding(
        "kernel.call",
        "finding",
        "memfd_secret works, but not one page can be had",
        f"mapping and filling one page in a child: {result}",
        "Every secret raises LimitError.",
        "See limits.memlock.",
    )


def _on_by_default(system: System) -> bool:
    """Tell whether this release has the switch on by default."""
    number = version_of(system.release())
    return number is not None and number >= ON_BY_DEFAULT


def _wrong_option(system: System) -> Iterator[Finding]:
    """Report the option name that manual pages print and no kernel reads."""
    value = system.boot_option(_WRONG_NAME)
    if value is not None:
        yield Finding(
            "kernel.switch",
            "finding",
            f"the boot option {_WRONG_NAME} has no effect",
            f"/proc/cmdline: {_WRONG_NAME}={value}",
            "No kernel reads this name; the switch stays at its default.",
            f"Write `secretmem.enable={value or '1'}` instead.",
        )


def _direct_map(system: System) -> Finding:
    """Judge whether an arm64 kernel can change its direct map by page."""
    rodata = system.boot_option("rodata")
    full = system.config("CONFIG_RODATA_FULL_DEFAULT_ENABLED")
    evidence = (
        f"kernel command line: rodata={rodata or '(not given)'}; "
        f"CONFIG_RODATA_FULL_DEFAULT_ENABLED={full or 'not readable'}; "
        f"memfd_secret: {system.outcome.call}"
    )
    name = "kernel.architecture"
    if system.outcome.call == "ok" and _refuses_large_blocks(system):
        return Finding(
            name,
            "ok",
            "arm64 maps its direct map by single pages",
            f"{evidence}; this release refuses the call otherwise",
        )
    blocks = rodata in {"off", "0", "on", "1", "noalias"}
    if blocks or (rodata is None and full == "n"):
        return Finding(
            name,
            "finding",
            "this arm64 kernel may map its direct map in large blocks",
            evidence,
            "Newer kernels answer ENOSYS; those without the fix of "
            "CVE-2024-50182 hand out memory that is not hidden.",
            "Boot with `rodata=full`, or without any rodata= option on a "
            "kernel with CONFIG_RODATA_FULL_DEFAULT_ENABLED=y.",
        )
    if rodata is None and full is None:
        return Finding(
            name, "unknown", "the direct map's setup is not shown", evidence
        )
    return Finding(
        name, "ok", "arm64 maps its direct map by single pages", evidence
    )


def _refuses_large_blocks(system: System) -> bool:
    """Tell whether upstream's release has the fix of CVE-2024-50182."""
    number = system.kernel.version
    return number is not None and judge(DIRECT_MAP, number) == "fixed"


CHECKS = (call, version, config, switch, architecture, page_size)
