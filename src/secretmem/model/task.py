"""What a process is made of, and the gate that every system call passes."""

from __future__ import annotations

import errno
import functools
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

from secretmem.model import abi
from secretmem.model.errors import SignalError, refusal
from secretmem.model.files import Descriptor
from secretmem.model.memory import AddressSpace


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.model.files import OpenFile
    from secretmem.model.kernel import Kernel


KILL: Final = "kill"
"""A seccomp filter's answer: end the process with SIGSYS."""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T", bound="Task")


class Task:
    """
    A process without its system calls.

    Attributes:
        pid, uid, caps: identity and capabilities.
        memlock, nofile: RLIMIT_MEMLOCK in bytes, RLIMIT_NOFILE.
        dumpable: PR_SET_DUMPABLE.
        seccomp: answer of a filter by system call name: an errno or `KILL`.
        mm: its memory.
        fds: its descriptors by number.
        signal: the signal that ended it, None while it lives.

    """

    def __init__(
        self, kernel: Kernel, pid: int, uid: int, caps: frozenset[str]
    ) -> None:
        """Make a process with an empty memory."""
        self.kernel = kernel
        self.pid = pid
        self.uid = uid
        self.caps = caps
        self.memlock = 0
        self.nofile = 0
        self.dumpable = True
        self.seccomp: dict[str, int | str] = {}
        self.mm = AddressSpace(kernel)
        self.fds: dict[int, Descriptor] = {}
        self.first_fd = 3
        self.signal: int | None = None
        self.alive = True

    def file(self, fd: int, call: str) -> OpenFile:
        """
        Give the open file behind `fd`.

        Raises:
            OSError: EBADF.

        """
        if fd not in self.fds:
            raise refusal(errno.EBADF, call)
        return self.fds[fd].file

    def install(self, file: OpenFile, call: str, *, cloexec: bool) -> int:
        """
        Give `file` the lowest free descriptor number.

        Raises:
            OSError: EMFILE at RLIMIT_NOFILE.

        """
        number = self.first_fd
        while number in self.fds:
            number += 1
        if number >= self.nofile:
            raise refusal(errno.EMFILE, call)
        self.fds[number] = Descriptor(file, cloexec=cloexec)
        return number

    def end(self, signal: int | None) -> None:
        """End the process; its memory and descriptors go."""
        for fd in list(self.fds):
            self.fds.pop(fd).file.let_go()
        for vma in self.mm.vmas.all():
            self.mm.unmap(vma.start, vma.end)
        self.signal = signal
        self.alive = False
        del self.kernel.processes[self.pid]

    def check_alive(self) -> None:
        """A dead process does nothing; asking it to is the caller's bug."""
        if not self.alive:
            message = f"process {self.pid} has ended"
            raise RuntimeError(message)


def syscall(
    function: Callable[Concatenate[_T, _P], _R],
) -> Callable[Concatenate[_T, _P], _R]:
    """Pass each call of `function` through seccomp; die if it faults."""
    name = function.__name__

    @functools.wraps(function)
    def gate(task: _T, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        task.check_alive()
        answer = task.seccomp.get(name)
        if answer == KILL:
            task.end(abi.SIGSYS)
            raise SignalError(abi.SIGSYS)
        if isinstance(answer, int):
            raise refusal(answer, name)
        try:
            return function(task, *args, **kwargs)
        except SignalError as death:
            task.end(death.signal)
            raise

    return gate
