"""Cases C20 to C28: who is refused, each beside a control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import new_area, ordinary, plant, told
from conformance.syscalls import ADVICE, PAGE


if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.stage import Seen, Stage


NEEDLE = b"32 bytes that stand in each page"
CONTROL = bytes(byte ^ 0x33 for byte in NEEDLE)


def c20_core_file(stage: Stage) -> Seen:
    """A core file holds the control only, after MADV_DODUMP too."""

    def hold(inner: Stage) -> Seen:
        process = inner.process
        _, secret = new_area(process)
        _, told_to_dump = new_area(process)
        process.madvise(told_to_dump, PAGE, ADVICE["DODUMP"])
        plant(process, ordinary(process), CONTROL)
        plant(process, secret, NEEDLE)
        plant(process, told_to_dump, NEEDLE)

    return stage.core(hold, {"control": CONTROL, "secret": NEEDLE})


def c21_debuggers(stage: Stage) -> Seen:
    """Another process reads and writes: refused, by four ways."""
    control = ordinary(stage.process)
    _, secret = new_area(stage.process)
    for address in (control, secret):
        stage.process.store(address, NEEDLE)
    pid = stage.pid

    def spy(other: Stage) -> Seen:
        process = other.process
        return {
            name: {
                "readv": told(process.process_vm_readv, pid, at, 8),
                "writev": told(process.process_vm_writev, pid, at, b"a"),
                "mem": told(process.mem_read, pid, at, 8),
                "mem write": told(process.mem_write, pid, at, b"a"),
                "ptrace": told(process.ptrace_peek, pid, at),
            }
            for name, at in (("control", control), ("secret", secret))
        }

    return stage.child(spy)


def c22_vmsplice(stage: Stage) -> Seen:
    """Giving a page to a pipe is refused, fresh or not."""
    _, pipe = stage.process.pipe()
    return beside(
        stage, lambda at: stage.process.vmsplice(pipe, at, 8), repeat=2
    )


def c23_o_direct(stage: Stage) -> Seen:
    """A device may not read the page itself."""
    disk = stage.process.open_disk(direct=True)
    return beside(stage, lambda at: stage.process.write(disk, at, PAGE))


def c24_zerocopy(stage: Stage) -> Seen:
    """A network card may not read the page itself."""
    return beside(stage, lambda at: stage.process.send_zerocopy(at, 64))


def c25_io_uring(stage: Stage) -> Seen:
    """A registered buffer is refused; a plain pointer is copied from."""
    _, pipe = stage.process.pipe()
    process = stage.process
    return {
        "registered": beside(
            stage, lambda at: process.register_buffer(at, PAGE)
        ),
        "plain": beside(stage, lambda at: process.uring_write(pipe, at, 8)),
    }


def c26_futex(stage: Stage) -> Seen:
    """A shared futex is found by its page, a private one by its address."""
    return {
        "shared": beside(stage, stage.process.futex_shared),
        "private": beside(stage, stage.process.futex_private),
    }


def c27_ordinary_calls(stage: Stage) -> Seen:
    """Calls that copy take the pointer."""
    reader, writer = stage.process.pipe()

    def through(address: int) -> Seen:
        process = stage.process
        return (
            process.write(writer, address, 8),
            process.read(reader, address, 8),
            process.send(address, 8),
            process.getrandom(address, 8),
        )

    return beside(stage, through)


def c28_userfaultfd(stage: Stage) -> Seen:
    """Nobody may handle the page's faults."""
    return beside(
        stage, lambda at: stage.process.userfaultfd_register(at, PAGE)
    )


def beside(
    stage: Stage, step: Callable[[int], object], repeat: int = 1
) -> Seen:
    """Do `step` on ordinary memory and on an area."""
    control = ordinary(stage.process)
    _, secret = new_area(stage.process)
    seen = {}
    for name, address in (("control", control), ("secret", secret)):
        stage.process.store(address, NEEDLE)
        outcomes = [told(step, address) for _ in range(repeat)]
        seen[name] = outcomes if repeat > 1 else outcomes[0]
    return seen
