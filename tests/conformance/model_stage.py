"""Cases played in the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import USER, map_fd, unmask
from secretmem.model import SignalError, outside


if TYPE_CHECKING:
    from conformance.stage import Part, Seen
    from secretmem.model import Kernel, Process


class ModelStage:
    """A process of the model."""

    live = False

    def __init__(self, kernel: Kernel, process: Process) -> None:
        """Play in `process`."""
        self.kernel = kernel
        self.process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def child(self, part: Part) -> Seen:
        """Fork in the model."""
        return self._run(self.process.fork(), part)

    def user(self, memlock: int, part: Part) -> Seen:
        """Start a process without privileges in the model."""
        process = self.kernel.spawn(USER, memlock=memlock)
        return self._run(process, part)

    def limit_memlock(self, limit: int) -> None:
        """Set the model's limit."""
        self.process.memlock = limit

    def core(self, part: Part, masked: dict[str, bytes]) -> dict[str, bool]:
        """Dump the model's core."""
        child = self.process.fork()
        part(ModelStage(self.kernel, child))
        pages = list(outside.core_dump(child).values())
        child.kill()
        return {
            name: outside.sees(unmask(each), pages)
            for name, each in masked.items()
        }

    def after_exec(self, fds: dict[str, int]) -> Seen:
        """Exec in the model."""
        child = self.process.fork()
        child.exec()
        seen = {name: map_fd(child, fd) for name, fd in fds.items()}
        child.exit()
        return seen

    def _run(self, process: Process, part: Part) -> Seen:
        try:
            seen = part(ModelStage(self.kernel, process))
        except SignalError as death:
            return death.name
        process.exit()
        return seen
