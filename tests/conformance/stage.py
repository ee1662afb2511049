"""
Where a case is played, and on the live kernel how.

A case is a function of a stage. It uses `stage.process`, which has the same
methods on both, and `child` and `user` to run parts of itself in other
processes. It returns what it saw, as literals.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any, Protocol

from conformance.extras import FullActor, core_of, run_after_exec
from conformance.syscalls import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    O_CLOEXEC,
    PAGE,
    PR_SET_DUMPABLE,
    PROT_RW,
    call,
    error_name,
)
from conformance.worker import HOME


if TYPE_CHECKING:
    from collections.abc import Callable

    Part = Callable[["Stage"], "Seen"]

Player = Any
"""A live process or the model's: the two have the same methods."""

Seen = Any
"""What a case saw: literals, mostly a dict of step and outcome."""


class Stage(Protocol):
    """One process of a case, and the way to others."""

    process: Player
    live: bool

    @property
    def pid(self) -> int:
        """The process id of `process`."""

    def child(self, part: Part) -> Seen:
        """Fork; what `part` saw in the child, or the signal's name."""

    def user(self, memlock: int, part: Part) -> Seen:
        """Run `part` in a process without privileges; as `child`."""

    def limit_memlock(self, limit: int) -> None:
        """Set RLIMIT_MEMLOCK, in bytes."""

    def core(self, part: Part, masked: dict[str, bytes]) -> dict[str, bool]:
        """Run `part` in a child that dumps core; which needles are in it."""

    def after_exec(self, fds: dict[str, int]) -> Seen:
        """Exec in a child; what maps each descriptor then, or its errno."""


MASK = 0x5A
"""Needles are kept masked, or the searched process would hold them too."""


def unmask(masked: bytes) -> bytes:
    """Give a needle in the clear."""
    return bytes(byte ^ MASK for byte in masked)


def plant(process: Player, address: int, masked: bytes) -> None:
    """Write a needle in the clear, byte by byte, so that no copy is made."""
    for step, byte in enumerate(masked):
        process.store(address + step, bytes([byte ^ MASK]))


class LiveStage:
    """The running process."""

    live = True

    def __init__(self) -> None:
        """Play in this process."""
        self.process = FullActor()
        self.process.allow_tracers()

    @property
    def pid(self) -> int:
        """The process id."""
        return os.getpid()

    def child(self, part: Part) -> Seen:
        """Fork."""
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reader)
            _play(part, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            text = pipe.read().decode()
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            return signal.Signals(os.WTERMSIG(status)).name
        return ast.literal_eval(text)

    def limit_memlock(self, limit: int) -> None:
        """Set soft and hard limit."""
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))

    def core(self, part: Part, masked: dict[str, bytes]) -> dict[str, bool]:
        """Dump a real core file, if the kernel writes one here."""
        content = core_of(lambda: part(LiveStage()))
        return {n: unmask(each) in content for n, each in masked.items()}

    def after_exec(self, fds: dict[str, int]) -> Seen:
        """Exec another Python, which maps what it inherited."""
        return ast.literal_eval(
            run_after_exec(
                f"import sys; sys.path.insert(0, {HOME!r}); "
                f"from conformance.stage import map_all; map_all({fds!r})"
            )
        )

    def user(self, memlock: int, part: Part) -> Seen:
        """Fork, and lose every privilege."""

        def humbly(stage: Stage) -> Seen:
            lose_privileges(memlock)
            return part(stage)

        return self.child(humbly)


USER = 54323


def lose_privileges(memlock: int) -> None:
    """Become a user without capabilities, with this limit in bytes."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
        call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))


def told(step: Callable[..., object], *args: object) -> Seen:
    """Give the value of a call ("ok" for none) or its errno's name."""
    try:
        value = step(*args)
    except OSError as error:
        return error_name(error)
    if value is None:
        return "ok"
    return tuple(value) if isinstance(value, tuple) else value


def worked(step: Callable[..., object], *args: object) -> str:
    """Give "ok" whatever the call's value, or its errno's name."""
    seen = told(step, *args)
    return seen if isinstance(seen, str) and seen[:1] == "E" else "ok"


def new_area(process: Player, pages: int = 1) -> tuple[int, int]:
    """Create and map an area; the result is its descriptor and address."""
    fd = process.memfd_secret(O_CLOEXEC)
    process.ftruncate(fd, pages * PAGE)
    size = pages * PAGE
    return fd, process.mmap(size, PROT_RW, MAP_SHARED, fd)


def ordinary(process: Player, pages: int = 1) -> int:
    """Map ordinary memory: the control; the result is its address."""
    flags = MAP_PRIVATE | MAP_ANONYMOUS
    address: int = process.mmap(pages * PAGE, PROT_RW, flags)
    return address


def map_all(fds: dict[str, int]) -> None:
    """Print what maps each descriptor of this process."""
    actor = FullActor()
    seen = {name: map_fd(actor, fd) for name, fd in fds.items()}
    sys.stdout.write(repr(seen))


def map_fd(process: Player, fd: int) -> Seen:
    """Map a descriptor and read nine bytes; else the errno's name."""
    try:
        address = process.mmap(PAGE, PROT_RW, MAP_SHARED, fd)
    except OSError as error:
        return error_name(error)
    return process.load(address, 9)


def _play(part: Part, writer: int) -> None:
    """Run `part` in a forked child and report; never returns."""
    code = 1
    try:
        seen = part(LiveStage())
        os.write(writer, repr(seen).encode())
        code = 0
    finally:
        os._exit(code)
