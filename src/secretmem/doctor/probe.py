"""
Try memfd_secret(2) in a child, because a seccomp filter may kill for it.

The child is a fresh interpreter that imports nothing of this package.  It
makes a descriptor, maps one page and lets the kernel write to it with
getrandom(2), which turns a limit that is counted at first touch into EFAULT
where a touch of its own would be SIGBUS.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from secretmem._shown import signal_name


# Prints one word per step that ended.  Core files are switched off first: a
# filter that kills must not leave one behind.
_CHILD = """
import ctypes, errno, mmap, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
libc = ctypes.CDLL(None, use_errno=True)
def say(result):
    name = errno.errorcode.get(ctypes.get_errno(), "unknown")
    print("ok" if result >= 0 else name, flush=True)
    if result < 0:
        raise SystemExit
fd = libc.syscall(447, os.O_CLOEXEC)
say(fd)
os.ftruncate(fd, mmap.PAGESIZE)
try:
    page = mmap.mmap(fd, mmap.PAGESIZE)
except OSError as error:
    ctypes.set_errno(error.errno)
    say(-1)
say(0)
start = ctypes.c_char.from_buffer(page)
libc.getrandom.restype = ctypes.c_ssize_t
say(libc.getrandom(ctypes.byref(start), ctypes.c_size_t(1), 1))
"""

# An interpreter on a loaded machine needs well under this many seconds.
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How the three steps of the probe ended.

    Each is "ok", an errno name, "SIGSYS" or another signal's name when the
    child was killed, "unknown" when no child could run, or "" when the step
    was not reached.
    """

    call: str
    map: str = ""
    touch: str = ""

    @property
    def works(self) -> bool:
        """Tell whether a page of secret memory could be had."""
        return self.touch == "ok"

    @property
    def refused(self) -> str:
        """Return the first result that is not "ok", or ""."""
        steps = (self.call, self.map, self.touch)
        return next((step for step in steps if step not in {"ok", ""}), "")


def probe() -> Outcome:
    """
    Run the child and report how far it came.

    Costs one start of the interpreter, some 50 ms.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-I", "-S", "-c", _CHILD],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return Outcome("unknown")
    steps = child.stdout.split()
    if child.returncode < 0:
        steps.append(signal_name(-child.returncode))
    elif not steps:
        steps.append("unknown")
    return Outcome(*steps[:3])
