"""
Why memfd_secret(2) is not available here, and what makes it available.

ENOSYS and EPERM both mean "not available"; they differ in the remedy.
ENOSYS has many causes, so the system is looked at to tell them apart; a
cause that cannot be established is called ``unknown``, never guessed.

==================  =======================================================
reason              meaning
==================  =======================================================
``not-linux``       another operating system
``native-missing``  the compiled part of this package is not installed
``gvisor``          gVisor's kernel has no such call
``architecture``    Linux has no memfd_secret on this machine type
``kernel-old``      before Linux 5.14
``not-built``       the kernel was built without CONFIG_SECRETMEM
``switch-off``      ``secretmem.enable`` is off (the default before 6.5)
``direct-map``      arm64: the kernel cannot change its direct map by page
``page-size``       pages are not 4096 bytes, which this package needs
``seccomp``         a seccomp filter refuses the call (EPERM or ENOSYS)
``seccomp-kill``    a seccomp filter kills for the call (SIGSYS)
``lsm``             a security module refuses the file (EACCES, EPERM)
``descriptors``     no file descriptor left (EMFILE, ENFILE)
``memory``          the kernel is out of memory (ENOMEM)
``unknown``         none of the above could be established
==================  =======================================================

Sources: memfd_secret(2), mm/secretmem.c, arch/arm64/mm/pageattr.c.
"""

from __future__ import annotations

import errno as _errno
import os
import sys

from secretmem.exceptions import UnavailableError


# First release with the call, and first release that has it on by default.
FIRST = (5, 14)
ON_BY_DEFAULT = (6, 5)

MACHINES = (
    "x86_64",
    "i386",
    "i586",
    "i686",
    "aarch64",
    "riscv64",
    "s390x",
    "loongarch64",
)

PARAMETER = "sys/module/secretmem/parameters/enable"

_OFF = ("0", "n", "no", "off", "false")

_BOOT = (
    "Add `secretmem.enable=1` to the kernel command line and reboot "
    "(Debian, Ubuntu: append it to GRUB_CMDLINE_LINUX in /etc/default/grub, "
    "then `update-grub`; Fedora, RHEL: `grubby --update-kernel=ALL "
    "--args=secretmem.enable=1`). The name `secretmem_enable` has no effect."
)

_FILTER = (
    "Docker: run Engine 23.0 or 20.10.18 and later, whose default profile "
    "allows the call, or pass `--security-opt seccomp=PROFILE.json` with "
    '`{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}` in its '
    "`syscalls` list. Kubernetes: `seccompProfile: {type: Localhost, "
    "localhostProfile: PROFILE.json}` under `securityContext`, or a newer "
    "container runtime under `type: RuntimeDefault`. systemd: add "
    "`SystemCallFilter=memfd_secret @pkey` after the unit's other "
    "SystemCallFilter= lines, since no group such as @system-service "
    "contains the call (@pkey is for protection keys, which are used where "
    "they are allowed)."
)

_CAUSES = {
    "not-linux": (
        "secret memory needs Linux; this system is {platform}",
        (
            "Run on Linux 5.14 or later. For tests on other systems the "
            "pytest plugin of secretmem provides a fake by name."
        ),
    ),
    "native-missing": (
        "the compiled part of secretmem (secretmem._native) is missing",
        (
            "Install a binary wheel for Linux: `pip install --force-reinstall "
            "--only-binary=secretmem secretmem`."
        ),
    ),
    "gvisor": (
        "gVisor runs this container and its kernel has no memfd_secret",
        (
            "Use another runtime: `docker run --runtime=runc`, or a "
            "Kubernetes `runtimeClassName` other than the gVisor one. No "
            "setting of gVisor adds the call."
        ),
    ),
    "architecture": (
        "Linux has no memfd_secret on {machine}",
        (
            "Use a 64-bit machine of the kinds x86_64, aarch64, riscv64, "
            "s390x or loongarch64 and a program built for it, not a 32-bit "
            "one."
        ),
    ),
    "kernel-old": (
        "kernel {release} is older than 5.14, which brought memfd_secret",
        "Run Linux 6.5 or later, where the call is on by default; from 5.14 "
        "on it must be switched on. " + _BOOT,
    ),
    "not-built": (
        "kernel {release} was built without CONFIG_SECRETMEM",
        (
            "Use a kernel whose configuration says `CONFIG_SECRETMEM=y` "
            "(`grep SECRETMEM /boot/config-$(uname -r)`); Debian, Ubuntu and "
            "Fedora kernels do. A module cannot add it."
        ),
    ),
    "switch-off": (
        (
            "the boot switch secretmem.enable is off on kernel {release} "
            "(default: off in 5.14 to 6.4, on since 6.5)"
        ),
        _BOOT,
    ),
    "direct-map": (
        (
            "this arm64 kernel cannot take single pages out of its direct "
            "map, so it refuses memfd_secret"
        ),
        (
            "Remove `rodata=off` or `rodata=on` from the kernel command line, "
            "or boot with `rodata=full` (CONFIG_RODATA_FULL_DEFAULT_ENABLED)."
        ),
    ),
    "page-size": (
        "this kernel's pages are not 4096 bytes, which secretmem needs",
        (
            "Use a kernel with 4 KiB pages: on arm64 one built with "
            "CONFIG_ARM64_4K_PAGES=y (Fedora and RHEL: the package kernel, "
            "not kernel-64k)."
        ),
    ),
    "seccomp": (
        "a seccomp filter refuses memfd_secret ({name})",
        _FILTER,
    ),
    "seccomp-kill": (
        "a seccomp filter kills the process that calls memfd_secret (SIGSYS)",
        (
            "systemd: add `SystemCallFilter=memfd_secret @pkey` to the "
            "[Service] section after the unit's other SystemCallFilter= "
            "lines, since no group such as @system-service contains the "
            "call; "
            "`SystemCallErrorNumber=EPERM` makes a refusal an error instead "
            "of a kill. Containers: allow the call in the seccomp profile, "
            '`{"names": ["memfd_secret"], "action": "SCMP_ACT_ALLOW"}`.'
        ),
    ),
    "lsm": (
        "a security module refuses the secretmem file ({name})",
        (
            "SELinux: find the refusal with `ausearch -m avc -ts recent` "
            "(class anon_inode, name [secretmem]) and allow it: `allow DOMAIN "
            "self:anon_inode { create map read write };`. AppArmor, SMACK and "
            "others: see the audit log."
        ),
    ),
    "descriptors": (
        "no file descriptor is left ({name})",
        (
            "Close descriptors or raise the limit: `ulimit -n 4096`, "
            "`LimitNOFILE=4096`, `docker run --ulimit nofile=4096:4096`; for "
            "ENFILE raise `sysctl fs.file-max`."
        ),
    ),
    "memory": (
        "the kernel has no memory left for a secretmem file ({name})",
        (
            "Free memory, or raise the limit of the control group "
            "(`MemoryMax=`, `docker run --memory`, `resources.limits.memory`)."
        ),
    ),
    "unknown": (
        (
            "memfd_secret answers {name} on kernel {release} and the cause "
            "could not be established"
        ),
        (
            "Run `secretmem doctor`, as root if possible: it reads the "
            "kernel's configuration and switch, which other users may not see."
        ),
    ),
}


class Facts:
    """
    What the running system shows about itself, read from ``root``.

    Each method reads files when it is called and returns nothing where they
    cannot be read.  ``machine`` and ``platform`` are those of the running
    interpreter unless given.
    """

    def __init__(
        self,
        root: str = "/",
        *,
        machine: str | None = None,
        platform: str | None = None,
    ) -> None:
        """Look at the tree below ``root``."""
        self._root = root
        self.machine = machine or _machine()
        self.platform = platform or sys.platform

    def read(self, path: str) -> str | None:
        """Return the text of ``path`` below the root; None when unreadable."""
        name = os.path.join(self._root, path)  # noqa: PTH118 - pathlib is not loaded here
        try:
            with open(name, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib is not loaded here
                return file.read()
        except OSError:
            return None

    def release(self) -> str:
        """Return the kernel release such as "6.12.117+deb12-amd64", or ""."""
        return (self.read("proc/sys/kernel/osrelease") or "").strip()

    def gvisor(self) -> bool:
        """
        Tell whether the kernel is gVisor's.

        Its version string is fixed; since 2026 the release has a suffix.
        """
        version = self.read("proc/version") or ""
        fixed = "#1 SMP Sun Jan 10 15:06:54 PST 2016"
        return "gvisor" in version.lower() or fixed in version

    def switch(self) -> bool | None:
        """
        Return the state of ``secretmem.enable``; None when it is not shown.

        The parameter file is readable by root only; then the kernel command
        line decides, and without an option there the default of the version.
        """
        text = self.read(PARAMETER)
        if text is not None:
            return text.strip() == "Y"
        state = _option(self.read("proc/cmdline") or "", "secretmem.enable")
        if state is not None:
            return state not in _OFF
        version = version_of(self.release())
        return None if version is None else version >= ON_BY_DEFAULT

    def built(self) -> bool | None:
        """
        Tell whether the kernel has CONFIG_SECRETMEM; None when not shown.

        A kernel with it has the parameter directory, also where the file in
        it is not readable.
        """
        modules = os.path.join(self._root, "sys/module")  # noqa: PTH118 - pathlib is not loaded here
        try:
            names = os.listdir(modules)  # noqa: PTH208 - pathlib is not loaded here
        except OSError:
            names = []
        if "secretmem" in names:
            return True
        if "kernel" in names:
            return False
        config = self.read(f"boot/config-{self.release()}")
        return None if config is None else "\nCONFIG_SECRETMEM=y" in config

    def filtered(self) -> bool | None:
        """Tell whether a seccomp filter is active in this process."""
        for line in (self.read("proc/self/status") or "").splitlines():
            if line.startswith("Seccomp:"):
                return line.split()[1] != "0"
        return None


def explain(errno: int | str, facts: Facts | None = None) -> UnavailableError:
    """
    Build the error for a memfd_secret(2) that failed with ``errno``.

    ``errno`` is the number or its name, or one of the words "SIGSYS" (the
    probe was killed), "page-size" and "native-missing".  The error is
    returned, not raised; ``reason`` is a word of the table above and
    ``remedy`` says what to do, with the exact option or line.
    """
    facts = facts or Facts()
    name = errno if isinstance(errno, str) else _name(errno)
    reason = diagnose(name, facts)
    cause, remedy = _CAUSES[reason]
    cause = cause.format(
        name=name,
        release=facts.release() or "(unknown)",
        machine=facts.machine,
        platform=facts.platform,
    )
    return UnavailableError(f"{cause}. {remedy}", reason=reason, remedy=remedy)


def remedy_for(reason: str) -> str:
    """Return what to do about ``reason``, a word of the table above."""
    return _CAUSES[reason][1]


def diagnose(name: str, facts: Facts) -> str:
    """Return the reason (a word of the table above) for error ``name``."""
    if facts.platform != "linux":
        return "not-linux"
    if name == "ENOSYS":
        return _no_call(facts)
    if name == "EPERM":
        return "lsm" if facts.filtered() is False else "seccomp"
    plain = {
        "native-missing": "native-missing",
        "page-size": "page-size",
        "SIGSYS": "seccomp-kill",
        "EACCES": "lsm",
        "EMFILE": "descriptors",
        "ENFILE": "descriptors",
        "ENOMEM": "memory",
    }
    return plain.get(name, "unknown")


def version_of(release: str) -> tuple[int, int] | None:
    """Return (major, minor) of a kernel release; None when it is not one."""
    parts = release.replace("-", ".").split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError):
        return None


def _no_call(facts: Facts) -> str:
    """Tell the causes of ENOSYS apart, the most certain evidence first."""
    version = version_of(facts.release())
    signs = (
        ("gvisor", facts.gvisor()),
        ("architecture", facts.machine not in MACHINES),
        ("kernel-old", version is not None and version < FIRST),
        ("not-built", facts.built() is False),
        ("switch-off", facts.switch() is False),
        ("seccomp", facts.filtered()),
        ("direct-map", facts.machine == "aarch64"),
    )
    return next((reason for reason, seen in signs if seen), "unknown")


def _option(cmdline: str, name: str) -> str | None:
    """Return the last value of ``name=`` on a kernel command line."""
    found = None
    for word in cmdline.split():
        key, _, value = word.partition("=")
        if key == name:
            found = value.lower()
    return found


def _machine() -> str:
    """Return the machine type of the kernel, "" where there is no uname."""
    return os.uname().machine if hasattr(os, "uname") else ""


def _name(number: int) -> str:
    """Return the name of errno ``number``."""
    return _errno.errorcode.get(number, f"errno {number}")
