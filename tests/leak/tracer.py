"""
ptrace(2) on another process: stop its threads, read their registers, step.

All calls for one target come from one thread of the tracer, as the kernel
wants it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from leak.needle import WINDOW


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leak.needle import Needle


# linux/ptrace.h, linux/elf.h, linux/wait.h
_POKEUSER, _CONT, _SINGLESTEP, _DETACH = 6, 7, 9, 17
_SEIZE, _INTERRUPT, _GETREGSET = 0x4206, 0x4207, 0x4204
_NT_PRSTATUS, _NT_PRFPREG, _NT_X86_XSTATE = 1, 2, 0x202
_WALL = 0x40000000
_EVENT_STOP = 128

_X86 = platform.machine() == "x86_64"

# struct user_regs_struct has 27 words.
_RIP, _RSP = 16, 19

# Offsets of the debug registers 0 and 7 in struct user (sys/user.h).
_DR0, _DR7 = 848, 848 + 7 * 8

# Where registers lie in XSTATE (Intel SDM volume 1, 13.4). What follows the
# first two lies where the maker of the processor put it.
_PARTS = ((32, 160, "st0-7"), (160, 416, "xmm"), (576, 832, "ymm, upper half"))

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class RegisterHit(NamedTuple):
    """A piece of a needle in a register."""

    form: str
    thread: int
    register: str


def _ptrace(request: int, thread: int, address: int = 0, data: int = 0) -> int:
    result = int(_libc.ptrace(request, thread, address, data))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"ptrace({request:#x}): {os.strerror(code)}")
    return result


def threads(pid: int) -> list[int]:
    """List the threads of a process."""
    return sorted(
        int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()
    )


class Thread:
    """A thread that this process traces; stopped when made."""

    def __init__(self, thread: int) -> None:
        """Attach and stop it."""
        self.id = thread
        self.pending = 0
        self._words = (ctypes.c_uint64 * 64)()
        self._room = (ctypes.c_char * (1 << 15))()
        _ptrace(_SEIZE, thread)
        _ptrace(_INTERRUPT, thread)
        self._wait()

    def _wait(self) -> None:
        """Wait for it to stop; remember a signal that it was about to get."""
        _, status = os.waitpid(self.id, _WALL)
        if not os.WIFSTOPPED(status):
            raise ProcessLookupError(
                errno.ESRCH, f"thread {self.id} ended: status {status:#x}"
            )
        number = os.WSTOPSIG(status)
        stopped_by_us = status >> 16 == _EVENT_STOP or number == signal.SIGTRAP
        self.pending = 0 if stopped_by_us else number

    def step(self) -> None:
        """Run one instruction."""
        _ptrace(_SINGLESTEP, self.id, data=self.pending)
        self._wait()

    def run_to(self, address: int) -> None:
        """Run to an instruction, by a debug register of x86-64."""
        _ptrace(_POKEUSER, self.id, _DR0, address)
        _ptrace(_POKEUSER, self.id, _DR7, 1)
        _ptrace(_CONT, self.id, data=self.pending)
        self._wait()
        _ptrace(_POKEUSER, self.id, _DR7, 0)

    def detach(self) -> None:
        """Let it go on."""
        _ptrace(_DETACH, self.id, data=self.pending)

    def _fill(self, kind: int, room: ctypes.Array[Any]) -> int:
        """Read a set of registers; gives its size in bytes."""
        vector = _Vector(ctypes.addressof(room), ctypes.sizeof(room))
        _ptrace(_GETREGSET, self.id, kind, ctypes.addressof(vector))
        return int(vector.length)

    def general(self) -> bytes:
        """Read the general registers."""
        size = self._fill(_NT_PRSTATUS, self._words)
        return bytes(self._words)[:size]

    def vectors(self) -> bytes:
        """Read the vector and mask registers."""
        kind = _NT_X86_XSTATE if _X86 else _NT_PRFPREG
        size = self._fill(kind, self._room)
        return ctypes.string_at(self._room, size)

    def words(self) -> list[int]:
        """Give the general registers of x86-64 as numbers."""
        self._fill(_NT_PRSTATUS, self._words)
        return self._words[:27]

    def stack_pointer(self) -> int:
        """Read the stack pointer of x86-64."""
        return self.words()[_RSP]

    def instruction(self) -> int:
        """Read the instruction pointer of x86-64."""
        return self.words()[_RIP]


def register_hits(
    thread: Thread, needles: Sequence[Needle]
) -> set[RegisterHit]:
    """Look for needles in all registers of a stopped thread."""
    found = set()
    for kind, data in (
        ("general", thread.general()),
        ("vector", thread.vectors()),
    ):
        for needle in needles:
            if not _has_piece(data, needle):
                continue
            for shape in needle.shapes:
                for at in range(len(data) - WINDOW + 1):
                    if data[at : at + WINDOW] in shape.windows:
                        name = kind if kind == "general" else part_at(at)
                        found.add(RegisterHit(shape.name, thread.id, name))
    return found


def _has_piece(data: bytes, needle: Needle) -> bool:
    """Tell quickly whether any piece is there."""
    pieces = (data[at : at + WINDOW] for at in range(len(data) - WINDOW + 1))
    return not needle.windows.isdisjoint(pieces)


def part_at(offset: int) -> str:
    """Name the registers that lie at an offset of XSTATE."""
    for start, stop, name in _PARTS:
        if start <= offset < stop:
            return name
    return f"vector registers, XSTATE+{offset}"


def _ending(pid: int, thread: int) -> bool:
    """Tell whether a thread ends: ptrace(2) says EPERM of it, too."""
    try:
        text = Path(f"/proc/{pid}/task/{thread}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text.rpartition(")")[2].split()[0] in "ZX"


@contextmanager
def stopped(pid: int) -> Iterator[list[Thread]]:
    """Stop all threads of a process for the length of a block."""
    held: list[Thread] = []
    try:
        # A thread may start another one while the first ones are stopped.
        while fresh := set(threads(pid)) - {thread.id for thread in held}:
            for number in sorted(fresh):
                try:
                    held.append(Thread(number))
                except (ProcessLookupError, PermissionError):
                    if number == pid or not _ending(pid, number):
                        raise
                    # It is ending, and off the list in a moment.
        yield held
    finally:
        for thread in held:
            thread.detach()
