"""
System calls in another process: ptrace makes the victim run them.

The victim waits in a system call; its instruction pointer is set back to
that instruction with other registers, one instruction is run, and everything
is put back.  x86-64 only.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from secretmem.prove import linux


if TYPE_CHECKING:
    from secretmem.prove.tracer import Tracer


# struct user_regs_struct of sys/user.h: 27 words.
_REGISTERS = struct.Struct("=27Q")
_NAMES = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"),
    *("rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags"),
    *("rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")

# asm/unistd_64.h
WRITE, MPROTECT, MEMFD_CREATE, PKEY_MPROTECT = 1, 10, 319, 329

_SYSCALL = b"\x0f\x05"
_NOT_IN_A_CALL = 0xFFFFFFFFFFFFFFFF
_MAX_ERRNO = 4095


class Injector:
    """Runs system calls in a stopped process; then `restore`."""

    def __init__(self, tracer: Tracer) -> None:
        """Remember the registers of the victim."""
        self._tracer = tracer
        self._saved = tracer.registers()
        self._values = dict(
            zip(_NAMES, _REGISTERS.unpack(self._saved), strict=True)
        )
        self._instruction = self._values["rip"] - len(_SYSCALL)
        code = tracer.peek(self._instruction)
        if not code.startswith(_SYSCALL):
            raise ValueError("the process does not wait in a system call")

    def any_string(self) -> int:
        """Return the address of some short C string, for a name."""
        page = self._values["rsp"] & -linux.PAGE
        for address in range(page, page + linux.PAGE, 8):
            if b"\0" in self._tracer.peek(address):
                return address
        raise ValueError("no string on the victim's stack")

    def call(self, number: int, *arguments: int) -> int:
        """Make a system call in the victim; raises OSError."""
        values = dict(self._values)
        values.update(zip(_ARGUMENTS, arguments, strict=False))
        values["rax"] = number
        values["orig_rax"] = _NOT_IN_A_CALL
        values["rip"] = self._instruction
        self._tracer.set_registers(
            _REGISTERS.pack(*(values[name] for name in _NAMES))
        )
        self._tracer.step()
        after = _REGISTERS.unpack(self._tracer.registers())
        result = int(after[_NAMES.index("rax")])
        if result > _NOT_IN_A_CALL - _MAX_ERRNO:
            error = (1 << 64) - result
            raise OSError(error, linux.error_name(error))
        return result

    def restore(self) -> None:
        """Put the registers back, so that the victim's own call goes on."""
        self._tracer.set_registers(self._saved)
