"""
Programs that leak on purpose, each into one place, to try the scanner.

The value comes out of secret memory, so the planted copy is the only one.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import threading

from leak.machine_code import hold_in_registers
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ALONE = "it is a leak itself"

libc = ctypes.CDLL(None)


class _Passed(ctypes.Structure):
    """A structure that is passed by value lies on the caller's stack."""

    _fields_ = (("bytes", ctypes.c_char * 4096),)


def area_with_value(stage: Stage) -> memoryview:
    """Read the value into a secret area of its own."""
    import secretmem

    view = memoryview(secretmem.SecretArea(4096))
    assert os.readv(stage.source(), [view[:24]]) == 24
    return view


def _copy(view: memoryview, target: int, size: int = 24) -> None:
    """Copy byte by byte: a register never holds more than one of them."""
    place = (ctypes.c_ubyte * size).from_address(target)
    for index in range(size):
        place[index] = view[index]


@program(no_control="it is the control")
def no_leak(stage: Stage) -> None:
    """The value lies in secret memory only."""
    view = area_with_value(stage)
    stage.ended(b"nothing planted")
    assert view[0]


@program(no_control=_ALONE)
def with_ballast(stage: Stage) -> None:
    """50 MiB of other content."""
    ballast = os.urandom(50 << 20)
    stage.ended(b"with ballast")
    assert ballast


@program(no_control=_ALONE)
def in_heap(stage: Stage) -> None:
    """In a block of malloc(3)."""
    view = area_with_value(stage)
    libc.malloc.restype = ctypes.c_void_p
    block = libc.malloc(2000)
    _copy(view, block + 500)
    stage.copied(b"[heap]")


@program(no_control=_ALONE)
def in_bss(stage: Stage) -> None:
    """In the static buffer of asctime(3), in the C library's bss."""
    view = area_with_value(stage)
    libc.asctime.restype = ctypes.c_void_p
    buffer = libc.asctime(ctypes.create_string_buffer(64))
    _copy(view, buffer)
    stage.copied(b"")


def _leave_on_stack(view: memoryview) -> None:
    passed = _Passed()
    for place in range(0, 4096, 64):
        _copy(view, ctypes.addressof(passed) + place)
    libc.abs.argtypes = (_Passed,)
    libc.abs(passed)
    ctypes.memset(ctypes.addressof(passed), 0, 4096)


@program(no_control=_ALONE)
def in_dead_stack(stage: Stage) -> None:
    """In a frame of the main stack that was left already."""
    view = area_with_value(stage)
    _leave_on_stack(view)
    stage.copied(b"[stack]")


@program(no_control=_ALONE)
def in_thread_stack(stage: Stage) -> None:
    """In a left frame of a thread that waits."""
    view = area_with_value(stage)
    planted, stop = threading.Event(), threading.Event()

    def work() -> None:
        _leave_on_stack(view)
        planted.set()
        stop.wait()

    worker = threading.Thread(target=work)
    worker.start()
    planted.wait()
    stage.copied(b"")
    stop.set()
    worker.join()


@program(no_control=_ALONE)
def in_freed_object(stage: Stage) -> None:
    """In a bytes object that was deleted."""
    fd = stage.source()
    value = os.read(fd, 100)
    assert len(value) == 24
    del value
    stage.copied(b"")


@program(
    no_control=_ALONE,
    payloads=(),
    variables={"TOKEN": "{plain}"},
)
def in_environment(stage: Stage) -> None:
    """In the block that the kernel made at execve(2)."""
    stage.copied(b"[stack]")


def _mapped(
    view: memoryview, flags: int, fd: int = -1
) -> tuple[mmap.mmap, int]:
    made = mmap.mmap(fd, 2 * mmap.PAGESIZE, flags)
    address = ctypes.addressof(ctypes.c_char.from_buffer(made))
    # Across the border of two pages.
    _copy(view, address + mmap.PAGESIZE - 10)
    return made, address


@program(no_control=_ALONE)
def in_closed_page(stage: Stage) -> None:
    """In pages that the process itself may not read."""
    made, address = _mapped(
        area_with_value(stage), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    )
    assert libc.mprotect(ctypes.c_void_p(address), 2 * mmap.PAGESIZE, 0) == 0
    stage.copied(b"")
    assert made


def _file(stage: Stage) -> int:
    fd = os.open(f"{stage.folder}/file", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 2 * mmap.PAGESIZE)
    return fd


@program(no_control=_ALONE)
def in_private_file_page(stage: Stage) -> None:
    """In a written page of a private mapping of a file."""
    made = _mapped(area_with_value(stage), mmap.MAP_PRIVATE, _file(stage))
    stage.copied(b"file")
    assert made


@program(no_control=_ALONE)
def in_shared_file_page(stage: Stage) -> None:
    """In a page of a shared mapping of a file."""
    made = _mapped(area_with_value(stage), mmap.MAP_SHARED, _file(stage))
    stage.copied(b"file")
    assert made


@program(no_control=_ALONE)
def in_piece(stage: Stage) -> None:
    """Eight bytes out of the middle, at an odd address."""
    view = area_with_value(stage)
    block = ctypes.create_string_buffer(64)
    _copy(view[9:], ctypes.addressof(block) + 3, 8)
    stage.copied(b"")


@program(no_control=_ALONE)
def in_smaller_piece(stage: Stage) -> None:
    """Seven bytes are less than the scanner looks for."""
    view = area_with_value(stage)
    block = ctypes.create_string_buffer(64)
    _copy(view[9:], ctypes.addressof(block) + 3, 7)
    stage.ended(b"seven bytes")


@program(no_control=_ALONE)
def in_many_places(stage: Stage) -> None:
    """A thousand copies in 12 MiB, also where one read ends."""
    view = area_with_value(stage)
    room = mmap.mmap(-1, 12 << 20)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for index in range(1000):
        _copy(view, start + index * 12_582)
    for border in range(1, 3):
        for near in (-4096, 0):
            at = start + border * (4 << 20) + near * border - 12
            ctypes.memset(at - 3, 0, 30)
            _copy(view, at)
    stage.shows(b"many")


@program(no_control=_ALONE, forms=("hex",))
def as_hex(stage: Stage) -> None:
    """As hexadecimal digits."""
    view = area_with_value(stage)
    text = view[:24].hex()
    stage.copied(b"")
    assert text


@program(no_control=_ALONE, forms=("base64",))
def as_base64(stage: Stage) -> None:
    """In base64."""
    import binascii

    view = area_with_value(stage)
    text = binascii.b2a_base64(view[:24])
    stage.copied(b"")
    assert text


@program(no_control=_ALONE, forms=("reversed",))
def as_reversed(stage: Stage) -> None:
    """Backwards, as byte swaps leave it."""
    view = area_with_value(stage)
    text = bytearray(view[23::-1])
    stage.copied(b"")
    assert text


def _beside_spinning(view: memoryview, action: Callable[[], None]) -> None:
    """Do something while a thread holds the value in registers."""
    import secretmem

    flag = memoryview(secretmem.SecretArea(8))
    worker = threading.Thread(target=hold_in_registers, args=(view, flag))
    worker.start()
    while flag[4] == 0:
        pass
    action()
    flag[0] = 1
    worker.join()


@program(no_control=_ALONE)
def in_registers(stage: Stage) -> None:
    """In registers of a running thread, and not afterwards."""
    view = area_with_value(stage)
    _beside_spinning(view, lambda: stage.copied(b""))
    stage.ended(b"after")


@program(no_control=_ALONE)
def in_signal_frame(stage: Stage) -> None:
    """
    On an ordinary signal stack, where the kernel wrote the registers.

    faulthandler gives the main thread such a stack, and CPython's handlers
    run on it.  This is what the domain's own signal stack is there for.
    """
    import faulthandler

    import secretmem

    view = area_with_value(stage)
    faulthandler.enable()
    seen = []
    signal.signal(signal.SIGALRM, lambda *_args: seen.append(1))
    flag = memoryview(secretmem.SecretArea(8))

    def interrupt() -> None:
        while flag[4] == 0:
            pass
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        signal.sigtimedwait([], 0.05)
        flag[0] = 1

    worker = threading.Thread(target=interrupt)
    worker.start()
    hold_in_registers(view, flag)
    worker.join()
    assert seen
    stage.copied(b"")
