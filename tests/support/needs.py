"""
What a test may need of the machine, and how one finds out.

Each probe gives None when the need is met, else the reason as a person
would say it. A probe tries the thing itself; it asks neither a version nor
an environment variable, so a test runs wherever it can run.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support import postgres, systemd, systemd_system, unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable


# Marker: what it means, as `pytest --markers` prints it.
MARKERS = {
    "needs_secretmem": "memfd_secret(2) gives a page that can be touched",
    "needs_root": "runs as root",
    "needs_unprivileged": "a child can run this Python without privileges",
    "needs_ptrace": "a process may trace its own child",
    "needs_pku": "the machine has protection keys (pkey_alloc(2))",
    "needs_no_pku": "the machine has no protection keys",
    "needs_core_files": "the kernel writes core files where a process works",
    "needs_network_none": "a child can have a network namespace of its own",
    "needs_swap": "swap space is in use",
    "needs_hibernation": "the kernel would hibernate now: nobody holds any",
    "needs_tool(*names)": "these programs are in PATH",
    "needs_postgresql": "a server of PostgreSQL is installed",
    "needs_systemd": "a systemd of our own can be started",
    "needs_system_systemd": "one can be process 1 of its own namespaces",
    "needs_descriptors(count)": "so many descriptors may be open",
    "needs_oldest": "`make oldest` made an environment with old packages",
    "needs_wheel": "pytest was given --wheel FILE",
}

# The call itself, independent of our own code: one page, touched by the
# kernel, since the kernel's refusal at first touch is SIGBUS for a process.
_ONE_PAGE = """
import ctypes, errno, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result == -1:
        raise SystemExit(errno.errorcode[ctypes.get_errno()])
    return result
fd = check(libc.syscall(447, os.O_CLOEXEC))
os.ftruncate(fd, mmap.PAGESIZE)
with mmap.mmap(fd, mmap.PAGESIZE) as page:
    first = ctypes.c_char.from_buffer(page)
    check(libc.getrandom(ctypes.byref(first), 1, 0))
    del first
"""

_OWN_NETWORK = """
import ctypes, errno, os
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
flags = CLONE_NEWNET | (CLONE_NEWUSER if os.geteuid() else 0)
if libc.unshare(flags):
    raise SystemExit(errno.errorcode[ctypes.get_errno()])
"""

_TRACE = """
import ctypes, errno, os, signal
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if not pid:
    signal.pause()
    os._exit(0)
PTRACE_SEIZE = 0x4206
zero = ctypes.c_void_p(0)
failed = libc.ptrace(PTRACE_SEIZE, pid, zero, zero)
name = errno.errorcode.get(ctypes.get_errno(), "0")
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
raise SystemExit(name if failed else None)
"""


_CORE = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
os.chdir(sys.argv[1])
os.abort()
"""


def _child_says(code: str) -> str | None:
    """Run a probe that may be killed, as by a seccomp filter, in a child."""
    child = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if child.returncode == 0:
        return None
    if child.returncode < 0:
        return f"the probe was killed by signal {-child.returncode}"
    return child.stderr.strip().rpartition("\n")[2]


@cache
def secretmem() -> str | None:
    """Tell why memfd_secret(2) gives no usable page."""
    said = _child_says(_ONE_PAGE)
    return said and f"memfd_secret(2): {said}"


def root() -> str | None:
    """Tell whether this runs as root."""
    uid = os.geteuid()
    return f"runs as uid {uid}" if uid else None


@cache
def ptrace() -> str | None:
    """Tell why a process may not trace its own child."""
    said = _child_says(_TRACE)
    return said and f"ptrace(2): {said}"


@cache
def pku() -> str | None:
    """Tell why there is no protection key to be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        key = libc.pkey_alloc(0, 0)
    except AttributeError:
        return "the C library has no pkey_alloc"
    if key < 0:
        name = errno.errorcode[ctypes.get_errno()]
        return f"pkey_alloc(2): {name}: no protection keys here"
    libc.pkey_free(key)
    return None


def no_pku() -> str | None:
    """Tell that there are protection keys."""
    return None if pku() else "this machine has protection keys"


@cache
def network_none() -> str | None:
    """Tell why a child cannot have a network namespace of its own."""
    said = _child_says(_OWN_NETWORK)
    return said and f"unshare(CLONE_NEWNET): {said}"


@cache
def core_files() -> str | None:
    """Tell why an aborting process leaves no core file in its folder."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CORE, folder],
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=PATIENCE,
        )
        if any(Path(folder).glob("core*")):
            return None
    pattern = Path("/proc/sys/kernel/core_pattern").read_text("utf-8")
    return f"no core file came; core_pattern is {pattern.strip()}"


def swap() -> str | None:
    """Tell that no swap space is in use."""
    lines = Path("/proc/swaps").read_text("ascii").splitlines()
    return None if len(lines) > 1 else "/proc/swaps lists none"


def hibernation() -> str | None:
    """Tell that the kernel would not hibernate."""
    try:
        states = Path("/sys/power/state").read_text("ascii").split()
    except OSError as error:
        return f"/sys/power/state: {error.strerror}"
    return None if "disk" in states else "the kernel refuses to hibernate"


def tool(*names: str) -> str | None:
    """Name the programs that are not in PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def descriptors(count: int) -> str | None:
    """Tell that fewer descriptors may be open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= count:
        return None
    return f"RLIMIT_NOFILE is at most {hard}"


OLDEST = Path(__file__).resolve().parents[2] / "build" / "oldest"


def oldest() -> str | None:
    """Look whether the environment was made to its end."""
    if (OLDEST / ".made").exists():
        return None
    return "build/oldest is not there (make oldest makes it)"


PROBES: dict[str, Callable[..., str | None]] = {
    "needs_secretmem": secretmem,
    "needs_root": root,
    "needs_unprivileged": unprivileged.why_not,
    "needs_ptrace": ptrace,
    "needs_pku": pku,
    "needs_no_pku": no_pku,
    "needs_core_files": core_files,
    "needs_network_none": network_none,
    "needs_swap": swap,
    "needs_hibernation": hibernation,
    "needs_tool": tool,
    "needs_postgresql": postgres.why_not,
    "needs_systemd": systemd.why_not,
    "needs_system_systemd": systemd_system.why_not,
    "needs_descriptors": descriptors,
    "needs_oldest": oldest,
}
