"""
How the model refuses: the kernel's errno, or a signal.

A refused system call raises `OSError` with the errno of the real kernel, so
Python picks the subclass as it does for `os.open`: EACCES and EPERM become
`PermissionError`, ESRCH `ProcessLookupError`.
"""

from __future__ import annotations

import os

from secretmem.model import abi


_SIGNAL_NAMES = {
    abi.SIGBUS: "SIGBUS",
    abi.SIGKILL: "SIGKILL",
    abi.SIGSEGV: "SIGSEGV",
    abi.SIGSYS: "SIGSYS",
}


class SignalError(Exception):
    """
    The process got a signal that ended it.

    Attributes:
        signal: Linux signal number, for instance 7 for SIGBUS.
        name: its name.

    """

    def __init__(self, signal: int) -> None:
        """Remember the signal; `signal` is its Linux number."""
        self.signal = signal
        self.name = _SIGNAL_NAMES[signal]
        super().__init__(f"killed by {self.name}")


def refusal(code: int, call: str) -> OSError:
    """Make the error of a refused call: errno `code`, named after `call`."""
    return OSError(code, os.strerror(code), call)
