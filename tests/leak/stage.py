"""
What a program under the scanner sees: its sources, and where to stop.

This file and the programs run in the target process. A program is written
once and runs twice: with `Secret`, where the scanner must find nothing, and
with `Ordinary`, which does the same with bytes objects and where it must
find the value. Values arrive through pipes that were filled before the
start; nothing else of the target ever held them.
"""

from __future__ import annotations

import os
import sys


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PROGRAMS: dict[str, Program] = {}


class Program:
    """A program and what its driver must know about it."""

    def __init__(self, run: Callable[[Stage], None], **facts: Any) -> None:  # noqa: ANN401 - as `program` takes them
        self.run = run
        self.name = run.__name__
        self.module = run.__module__
        # Public names of which this program is the residue test.
        self.covers: tuple[str, ...] = facts.pop("covers", ())
        # What each pipe holds: texts with {plain}, {base64}, {hex}.
        self.payloads: tuple[str, ...] = facts.pop("payloads", ("{plain}",))
        # How often each payload stands in its pipe.
        self.times: int = facts.pop("times", 1)
        # Whether the value stands there several times in a row.
        self.repeated: bool = facts.pop("repeated", self.times > 1)
        # Shapes to look for.
        self.forms: tuple[str, ...] = facts.pop("forms", ("plain",))
        # Files in `Stage.folder`, and variables, by name.
        self.files: dict[str, str] = facts.pop("files", {})
        self.variables: dict[str, str] = facts.pop("variables", {})
        # With no other variables than these.
        self.bare: bool = facts.pop("bare", False)
        # A kind of `leak.material` to plant instead of a text.
        self.material: str | None = facts.pop("material", None)
        # Also pages that still hold their file.
        self.whole: bool = facts.pop("whole", self.material is None)
        # Answers at the terminal.
        self.terminal: bool = facts.pop("terminal", False)
        self.code: int = facts.pop("code", 0)
        # Under a seccomp filter that refuses memfd_secret(2).
        self.confined: bool = facts.pop("confined", False)
        # Why there is no ordinary counterpart.
        self.no_control: str | None = facts.pop("no_control", None)
        # Only root can look into it.
        self.root: bool = facts.pop("root", False)
        if facts:
            raise TypeError(f"no such facts: {', '.join(facts)}")


def program(
    *covers: str,
    **facts: Any,  # noqa: ANN401 - see Program
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Enter a function as a program that tests these public names."""

    def enter(run: Callable[[Stage], None]) -> Callable[[Stage], None]:
        made = Program(run, covers=covers, **facts)
        assert made.name not in PROGRAMS, f"two programs {made.name}"
        PROGRAMS[made.name] = made
        return run

    return enter


class Stage:
    """The target's side of the conversation with its driver."""

    def __init__(
        self,
        program: Program,
        *,
        ordinary: bool,
        many: int,
        pipes: tuple[int, int, int],
        sources: list[int],
        folder: str,
        abort: bool = False,
    ) -> None:
        self.ordinary = ordinary
        self.aborts = abort
        self.many = many
        self.folder = folder
        self._ask, self._answer, self._learn = pipes
        self._pid = b"%d" % os.getpid()
        self._sources = list(zip(program.payloads, sources, strict=True))
        # A copy of the interpreter's own is made at its first use.
        if ordinary:
            from leak.ordinary import Ordinary, hazmat

            self.Secret: Any = Ordinary
            self.hazmat: Any = hazmat
        else:
            import secretmem
            from secretmem import hazmat as real

            self.Secret = secretmem.Secret
            self.hazmat = real

    # -- What a program does -------------------------------------------------

    def source(self, payload: str = "{plain}") -> int:
        """Give the read end of the next pipe with this payload."""
        for index, (text, fd) in enumerate(self._sources):
            if text == payload:
                del self._sources[index]
                return fd
        raise LookupError(f"no pipe with {payload!r} is left")

    def secret(self, payload: str = "{plain}", **options: Any) -> Any:  # noqa: ANN401 - Secret or Ordinary
        """Read the next such pipe into a secret."""
        fd = self.source(payload)
        secret = self.Secret.from_fd(fd, **options)
        os.close(fd)
        return secret

    def buffer(self, payload: str = "{plain}") -> bytearray:
        """Read the next such pipe into a bytearray, which can be wiped."""
        fd = self.source(payload)
        room = bytearray(1 << 16)
        size = os.readv(fd, [room])
        os.close(fd)
        del room[size:]
        return room

    @staticmethod
    def wipe(buffer: bytearray) -> None:
        """Overwrite a buffer of the program's own."""
        for index in range(len(buffer)):
            buffer[index] = 0

    def pipe_of(self, secret: Any) -> int:  # noqa: ANN401 - Secret or Ordinary
        """Make a pipe that holds the secret; gives the read end."""
        source, target = os.pipe()
        secret.write_to(target)
        os.close(target)
        return source

    def repeat(
        self, operation: Callable[[], object], most: int = 1000
    ) -> None:
        """Do it once, look, do it many times, look."""
        operation()
        self.check(b"once")
        for _ in range(min(self.many, most)):
            operation()
        self.check(b"many times")

    # -- Where the driver looks ----------------------------------------------
    #
    # Labels are bytes and are written as they are: a formatted message would
    # be a fresh object, and overwrite what an operation left behind.

    def check(self, label: bytes) -> None:
        """The value is alive: found in the control, nowhere otherwise."""
        self._tell(b"check", label)

    def ended(self, label: bytes = b"closed") -> None:
        """Nowhere; in the control anything goes."""
        self._tell(b"ended", label)

    def shows(self, label: bytes) -> None:
        """A test looks at what this shows by itself."""
        self._tell(b"shows", label)

    def copied(self, label: bytes) -> None:
        """A documented copy exists: found in the control and otherwise."""
        self._tell(b"copied", label)

    def baseline(self) -> None:
        """What is there now is the program's own; look for more only."""
        self._tell(b"baseline")

    def forget_baseline(self) -> None:
        """Look for everything again."""
        self._tell(b"forget")

    # -- What else the driver does -------------------------------------------

    def learn(self, secret: Any) -> None:  # noqa: ANN401 - Secret or Ordinary
        """Pass a value that the driver does not know yet."""
        secret.write_to(self._learn)
        self._tell(b"learn", b"%d" % len(secret))

    def type(self, *payloads: bytes) -> None:
        """Let the driver type these at the next prompts."""
        self._tell(b"type", b"\v".join(payloads))

    def end(self) -> None:
        """The last look; then, where asked for, a core file."""
        self.ended()
        if self.aborts:
            self.limit_core()
            os.abort()

    @staticmethod
    def limit_core() -> None:
        """Let the kernel write core files, registers and all."""
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    def forked(self) -> None:
        """Say in a child that it is another process."""
        self._pid = b"%d" % os.getpid()

    def traced(self, action: Callable[[], object]) -> None:
        """Run something while the driver looks at each instruction."""
        self._tell(b"step")
        action()
        self._tell(b"stepped")

    def sampled(self, action: Callable[[], object], part: int = 1) -> None:
        """
        Run something again and again, while the driver takes samples.

        It takes one ``part``-th of those that it is to take.
        """
        self._tell(b"loop", b"%d" % part)
        os.set_blocking(self._answer, False)
        while self.running():
            for _ in range(20):
                action()
        os.set_blocking(self._answer, True)

    def running(self) -> bool:
        """Tell whether the driver has not answered yet."""
        try:
            return not os.read(self._answer, 1)
        except BlockingIOError:
            return True

    def _tell(self, verb: bytes, label: bytes = b"") -> None:
        for part in (verb, b"\t", self._pid, b"\t", label, b"\0"):
            os.write(self._ask, part)
        if not os.read(self._answer, 1):
            sys.exit("the driver is gone")
