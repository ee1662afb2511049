"""What an audit cannot do, and why."""

from __future__ import annotations

import errno
import os
from pathlib import Path


_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")

# Documentation/admin-guide/LSM/Yama.rst
_SCOPES = {
    "1": "Yama allows it for a parent and for whom the process named "
    "(kernel.yama.ptrace_scope = 1); run the audit as root",
    "2": "Yama allows it for root only (kernel.yama.ptrace_scope = 2)",
    "3": "Yama allows it for nobody until the next boot "
    "(kernel.yama.ptrace_scope = 3)",
}


class AuditError(Exception):
    """
    The audit cannot be made.

    Attributes:
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Keep both texts."""
        super().__init__(message)
        self.hint = hint


class UnfitKeyError(AuditError):
    """What was given is no key of its kind: its size or form is another."""


def refused(pid: int, error: OSError) -> AuditError:
    """Say why a process could not be looked into, and what would help."""
    if error.errno in (errno.ENOENT, errno.ESRCH):
        if _status(pid):
            return AuditError(
                f"process {pid} has no memory: it has ended, or is a thread "
                "of the kernel"
            )
        return AuditError(f"there is no process {pid}")
    if error.errno not in (errno.EPERM, errno.EACCES):
        name = errno.errorcode.get(error.errno or 0, "an error")
        return AuditError(f"process {pid} cannot be looked into: {name}")
    return AuditError(
        f"this process may not look into process {pid}", _why(pid)
    )


def _why(pid: int) -> str:
    """Name the first rule of ptrace(2) that says no."""
    status = _status(pid)
    tracer = status.get("TracerPid", "0")
    if tracer != "0":
        return f"process {tracer} traces it already; only one can"
    owner = status.get("Uid", "").split()
    if os.geteuid() != 0 and owner[1:2] != [str(os.geteuid())]:
        return f"it runs as uid {''.join(owner[1:2])}; run the audit as root"
    scope = _scope()
    if scope in _SCOPES and (os.geteuid() != 0 or scope == "3"):
        return _SCOPES[scope]
    if os.geteuid() != 0:
        return (
            "it is not dumpable (secretmem.harden() and prctl(2) "
            "PR_SET_DUMPABLE do that); run the audit as root"
        )
    return "this root lacks CAP_SYS_PTRACE over it (a container?)"


def _status(pid: int) -> dict[str, str]:
    """Read /proc/PID/status, proc_pid_status(5)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _scope() -> str:
    try:
        return _YAMA.read_text("ascii").strip()
    except OSError:
        return ""
