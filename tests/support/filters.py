"""
Seccomp filters for one system call, as container runtimes install them.

``command(action, ...)`` is a command that puts a filter on itself, which
answers memfd_secret(2) with ``action`` and lets every other call through,
and then becomes the command that follows.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence


# linux/seccomp.h; the low half of SECCOMP_RET_ERRNO is the errno.
ACTIONS = {
    "EPERM": 0x00050001,
    "ENOSYS": 0x00050026,
    "kill-process": 0x80000000,
    "kill-thread": 0x00000000,
    "trap": 0x00030000,
    "allow": 0x7FFF0000,
}

# Four instructions of classic BPF: load the number of the call; is it 447,
# so take the action; else allow.
_CODE = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def op(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)
program = (
    op(0x20, 0, 0, 0) + op(0x15, 0, 1, 447)
    + op(0x06, 0, 0, int(sys.argv[1])) + op(0x06, 0, 0, 0x7FFF0000)
)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
filter = Program(4, program)
for call in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(filter), 0, 0)):
    if libc.prctl(*call):
        raise SystemExit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def command(
    action: str, inner: Sequence[str], python: str = sys.executable
) -> list[str]:
    """Return ``inner`` (with its full path) behind a filter."""
    number = str(ACTIONS[action])
    return [python, "-I", "-S", "-c", _CODE, number, *inner]
