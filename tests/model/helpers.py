"""What the model's tests share: a process with a secret, errno names."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

import pytest

from secretmem.model import Config, Kernel, Process, abi


if TYPE_CHECKING:
    from collections.abc import Callable


NEEDLE = b"needle: 32 bytes, seen or not so"


class Holder(NamedTuple):
    """A process that holds `NEEDLE` at `address`; `fd` is still open."""

    kernel: Kernel
    process: Process
    fd: int
    address: int


def hold_secret(
    config: Config | None = None, *, uid: int = 1000, pages: int = 1
) -> Holder:
    """Boot, create an area of `pages` pages, and put the needle in."""
    kernel = Kernel(config)
    process = kernel.spawn(uid)
    fd, address = new_area(process, pages)
    process.store(address, NEEDLE)
    return Holder(kernel, process, fd, address)


def new_area(process: Process, pages: int = 1) -> tuple[int, int]:
    """Create and map an area; the result is its descriptor and address."""
    fd = process.memfd_secret(abi.O_CLOEXEC)
    process.ftruncate(fd, pages * abi.PAGE_SIZE)
    address = process.mmap(
        pages * abi.PAGE_SIZE, abi.PROT_RW, abi.MAP_SHARED, fd
    )
    return fd, address


def anonymous(process: Process, pages: int = 1) -> int:
    """Map ordinary memory: the control of an attack."""
    return process.mmap(
        pages * abi.PAGE_SIZE,
        abi.PROT_RW,
        abi.MAP_PRIVATE | abi.MAP_ANONYMOUS,
    )


def hold_plain(kernel: Kernel, uid: int = 1000) -> tuple[Process, int]:
    """Put the needle into ordinary memory of a new process."""
    process = kernel.spawn(uid)
    address = anonymous(process)
    process.store(address, NEEDLE)
    return process, address


def refused(call: Callable[[], object]) -> str:
    """Require that `call` is refused; the result is the errno's name."""
    with pytest.raises(OSError, match=r".") as caught:
        call()
    assert caught.value.errno is not None
    return errno.errorcode[caught.value.errno]
