"""
Holding another process with ptrace(2).

Used by the attacks that peek, poke, read registers or inject system calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Self

from secretmem.prove import linux


if TYPE_CHECKING:
    from types import TracebackType


# include/uapi/linux/ptrace.h
_PEEKDATA, _POKEDATA, _CONT, _SINGLESTEP = 2, 5, 7, 9
_DETACH, _GETREGSET, _SETREGSET = 17, 0x4204, 0x4205
_SEIZE, _INTERRUPT = 0x4206, 0x4207

# include/uapi/linux/elf.h: general registers; x86 and arm64 vector registers.
GENERAL = 1
VECTOR = 0x202 if linux.MACHINE == "x86_64" else 2

_WORD = 8
_WAIT_ALL = 0x40000000  # __WALL: threads that were not forked, too


class Tracer:
    """
    A traced process, stopped.

    A context manager: attaches with PTRACE_SEIZE, stops with
    PTRACE_INTERRUPT, and lets the process go on at the end.
    """

    def __init__(self, pid: int) -> None:
        """Attach to ``pid`` and stop it; raises OSError."""
        self.pid = pid
        self._call(_SEIZE)
        self.interrupt()

    def __enter__(self) -> Self:
        """Return the tracer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the process go on."""
        with contextlib.suppress(OSError):
            self._call(_DETACH)

    def interrupt(self) -> None:
        """Stop the process wherever it is."""
        self._call(_INTERRUPT)
        self._wait()

    def go_on(self) -> None:
        """Let the process run until the next `interrupt`."""
        self._call(_CONT)

    def step(self) -> None:
        """Run one machine instruction, a system call included."""
        self._call(_SINGLESTEP)
        self._wait()

    def peek(self, address: int) -> bytes:
        """Return the 8 bytes at ``address``, PTRACE_PEEKDATA."""
        word = ctypes.c_ulong()
        linux.syscall(
            "ptrace",
            _PEEKDATA,
            self.pid,
            ctypes.c_void_p(address),
            ctypes.byref(word),
        )
        return bytes(word)

    def poke(self, address: int, data: bytes) -> int:
        """Write 8 bytes to ``address``, PTRACE_POKEDATA."""
        word = ctypes.c_ulong.from_buffer_copy(data)
        linux.syscall(
            "ptrace", _POKEDATA, self.pid, ctypes.c_void_p(address), word
        )
        return _WORD

    def registers(self, which: int = GENERAL) -> bytes:
        """Return a register set as the kernel lays it out."""
        room = ctypes.create_string_buffer(16384)
        vector = linux.IoVec(ctypes.addressof(room), len(room))
        self._register_call(_GETREGSET, which, vector)
        return room.raw[: vector.length]

    def set_registers(self, data: bytes) -> None:
        """Set the general registers."""
        room = ctypes.create_string_buffer(data, len(data))
        vector = linux.IoVec(ctypes.addressof(room), len(data))
        self._register_call(_SETREGSET, GENERAL, vector)

    def _register_call(
        self, request: int, which: int, vector: linux.IoVec
    ) -> None:
        """Make a request about registers."""
        linux.syscall("ptrace", request, self.pid, which, ctypes.byref(vector))

    def _call(self, request: int) -> None:
        """Make a request without arguments."""
        linux.syscall("ptrace", request, self.pid, 0, 0)

    def _wait(self) -> None:
        """Wait for the next stop; ChildProcessError when it ended."""
        _, status = os.waitpid(self.pid, _WAIT_ALL)
        if not os.WIFSTOPPED(status):
            raise ChildProcessError(f"process {self.pid} ended")
