"""
A BPF program made by hand: read memory from the kernel's side.

The program hangs on the entry of system calls.  When the chosen process
makes one, it copies bytes from an address, as a user address of that process
or as a kernel address, to a map that this process reads.  bpf(2),
bpf-helpers(7), include/uapi/linux/bpf.h.  Needs CAP_BPF and CAP_PERFMON.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Self

from secretmem.prove import linux


_MAP_CREATE, _LOOKUP, _UPDATE, _LOAD, _OPEN = 0, 1, 2, 5, 17
_ARRAY, _RAW_TRACEPOINT = 2, 17

# Helpers: enum bpf_func_id.
_LOOKUP_HELPER, _PID_HELPER, _TASK_HELPER = 1, 14, 35
READ_USER, READ_KERNEL = 112, 113

# The value of the map: address, result (1 until the program ran), bytes.
_HEAD = struct.Struct("=Qq")
_NOT_YET = 1


class MemoryProbe:
    """
    Reads ``size`` bytes at a time, whenever process ``pid`` makes a call.

    ``helper`` is `READ_USER` (addresses of that process) or `READ_KERNEL`.
    A context manager.
    """

    def __init__(self, pid: int, helper: int, size: int = 32) -> None:
        """Load the program and attach it; raises OSError."""
        self._size = _HEAD.size + size
        self._map = self._program = self._link = -1
        try:
            self._map = _create_map(self._size)
            code = _code(self._map, pid, _reading(helper, size))
            self._program = _load(code)
            self._link = _attach(self._program)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the probe."""
        return self

    def __exit__(self, *_: object) -> None:
        """Detach."""
        self.close()

    def close(self) -> None:
        """Detach the program and free it."""
        for fd in (self._link, self._program, self._map):
            if fd >= 0:
                os.close(fd)
        self._map = self._program = self._link = -1

    def aim(self, address: int) -> None:
        """Choose what the next system call of the process reads."""
        self._access(_UPDATE, _HEAD.pack(address, _NOT_YET))

    def take(self) -> bytes:
        """Return what was read; raises OSError (EFAULT: not readable)."""
        value = self._access(_LOOKUP)
        _, result = _HEAD.unpack_from(value)
        if result == _NOT_YET:
            raise TimeoutError("the process made no system call")
        if result:
            raise OSError(-result, linux.error_name(-result))
        return value[_HEAD.size :]

    def _access(self, command: int, value: bytes = b"") -> bytes:
        """Read or write the only entry of the map."""
        key = ctypes.create_string_buffer(4)
        room = ctypes.create_string_buffer(value, self._size)
        addresses = (ctypes.addressof(key), ctypes.addressof(room))
        _bpf(command, struct.pack("=IIQQQ", self._map, 0, *addresses, 0))
        return room.raw


class TaskProbe(MemoryProbe):
    """
    Tells a kernel address: that of this process's task structure.

    It lies in the direct map, somewhere.
    """

    def __init__(self) -> None:
        """Load the program for this process and let it run once."""
        self._size = _HEAD.size
        self._map = self._program = self._link = -1
        try:
            self._map = _create_map(self._size)
            code = _code(self._map, os.getpid(), _telling_task())
            self._program = _load(code)
            self._link = _attach(self._program)
        except OSError:
            self.close()
            raise

    def task(self) -> int:
        """Return the address."""
        os.getppid()
        address: int = _HEAD.unpack(self._access(_LOOKUP))[0]
        return address


def _bpf(command: int, attributes: bytes) -> int:
    """Make the system call."""
    return linux.syscall("bpf", command, attributes, len(attributes))


def _create_map(size: int) -> int:
    """Create an array of one entry of ``size`` bytes."""
    shape = (_ARRAY, 4, size, 1)
    return _bpf(_MAP_CREATE, struct.pack("=4I", *shape))


def _load(code: bytes) -> int:
    """Load a program; its helpers need a licence that is GPL compatible."""
    room = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "=IIQQIIQII",
        _RAW_TRACEPOINT,
        len(code) // 8,
        ctypes.addressof(room),
        ctypes.addressof(licence),
        *(0, 0, 0, 0, 0),
    )
    return _bpf(_LOAD, attributes)


def _attach(program: int) -> int:
    """Attach to the tracepoint at the entry of system calls."""
    name = ctypes.create_string_buffer(b"sys_enter")
    attributes = struct.pack("=QII", ctypes.addressof(name), program, 0)
    return _bpf(_OPEN, attributes)


def _instruction(
    code: int, registers: int = 0, offset: int = 0, value: int = 0
) -> bytes:
    """Encode one instruction; ``registers`` is source * 16 + target."""
    return struct.pack("=BBhi", code, registers, offset, value)


def _code(map_fd: int, pid: int, action: list[bytes]) -> bytes:
    """Assemble: when ``pid`` calls, look r7 up in the map, do ``action``."""
    after = sum(map(len, action)) // 8
    body = [
        _instruction(0x62, 0x0A, -4, 0),  # *(u32 *)(fp - 4) = 0: the key
        _instruction(0x18, 0x11, value=map_fd),  # r1 = map ...
        _instruction(0),  # ... in two parts
        _instruction(0xBF, 0xA2),  # r2 = fp
        _instruction(0x07, 0x02, value=-4),  # r2 += -4
        _instruction(0x85, value=_LOOKUP_HELPER),  # r0 = lookup(r1, r2)
        _instruction(0x15, 0x00, after + 1),  # if r0 == 0 goto exit
        _instruction(0xBF, 0x07),  # r7 = r0
        *action,
    ]
    size = sum(map(len, body)) // 8
    return b"".join(
        [
            _instruction(0x85, value=_PID_HELPER),  # r0 = tgid << 32 | pid
            _instruction(0x77, 0x00, value=32),  # r0 >>= 32
            _instruction(0x55, 0x00, size, pid),  # if r0 != pid goto exit
            *body,
            _instruction(0xB7),  # exit: r0 = 0
            _instruction(0x95),  # return
        ]
    )


def _reading(helper: int, size: int) -> list[bytes]:
    """Read ``size`` bytes at the address in the map, once."""
    return [
        _instruction(0x79, 0x73, 0),  # r3 = address
        _instruction(0x15, 0x03, 6, 0),  # if r3 == 0 goto exit
        _instruction(0xBF, 0x71),  # r1 = r7
        _instruction(0x07, 0x01, value=_HEAD.size),  # r1 += 16: the bytes
        _instruction(0xB7, 0x02, value=size),  # r2 = size
        _instruction(0x85, value=helper),  # r0 = probe_read(r1, r2, r3)
        _instruction(0x7B, 0x07, 8),  # result = r0
        _instruction(0x7A, 0x07, 0, 0),  # address = 0: once only
    ]


def _telling_task() -> list[bytes]:
    """Store the address of the task structure as the address."""
    return [
        _instruction(0x85, value=_TASK_HELPER),  # r0 = current task
        _instruction(0x7B, 0x07, 0),  # address = r0
    ]
