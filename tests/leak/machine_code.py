"""
A few bytes of x86-64 machine code that hold a value in registers.

Python cannot be told to keep something in a register; this can. The code
loads eight bytes into rax and sixteen into xmm9, says so, and spins until it
is told to stop; then it clears both.
"""

from __future__ import annotations

import ctypes
import mmap


# hold(value: rdi, flag: rsi)
_CODE = bytes.fromhex(
    "488b07"  # mov rax, [rdi]
    "f3440f6f4f08"  # movdqu xmm9, [rdi + 8]
    "c7460401000000"  # mov dword [rsi + 4], 1
    "f390"  # again: pause
    "833e00"  # cmp dword [rsi], 0
    "74f9"  # je again
    "31c0"  # xor eax, eax
    "66450fefc9"  # pxor xmm9, xmm9
    "c3"  # ret
)

_page = mmap.mmap(
    -1,
    mmap.PAGESIZE,
    prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC,
)
_page.write(_CODE)
_hold = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(
    ctypes.addressof(ctypes.c_char.from_buffer(_page))
)


def hold_in_registers(value: memoryview, flag: memoryview) -> None:
    """
    Hold 24 bytes of ``value`` until ``flag[0]`` is set.

    ``flag[4]`` is set once they are held.  The interpreter is released.
    """
    _hold(
        ctypes.addressof(ctypes.c_char.from_buffer(value)),
        ctypes.addressof(ctypes.c_char.from_buffer(flag)),
    )
