"""
The stage of an attack: the attacker's handles on its victims.

`Nursery` starts the victim program once.  `Stage` is what an attack gets: it
makes fresh victims, each with a needle of its own, and gives a directory for
files.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from secretmem.prove import elf, kinds, linux, maps
from secretmem.prove.attack import CannotRunError
from secretmem.prove.familiar import learn_process
from secretmem.prove.needle import Find, Needle
from secretmem.prove.victim import Packet, receive, send


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType


# How long the victim program may take for an answer.
_SECONDS = 60.0


class VictimError(Exception):
    """
    A request failed inside the victim.

    ``name`` is the class of the exception there; ``errno``, ``reason`` and
    ``remedy`` are those of the exception, if it had them.
    """

    def __init__(self, packet: Packet) -> None:
        """Take over what the victim reported."""
        super().__init__(f"{packet['error']}: {packet['message']}")
        self.name = str(packet["error"])
        self.message = str(packet["message"])
        self.errno = packet.get("errno")
        self.reason = packet.get("reason")
        self.remedy = packet.get("remedy")


class VictimDiedError(Exception):
    """The victim ended while it answered a request."""


class Nursery:
    """The running victim program, which forks victims on request."""

    def __init__(self) -> None:
        """Start the program and wait until it is ready."""
        self._channel, theirs = _channels()
        with theirs:
            self._process = _start(theirs.fileno())
        self._requests = itertools.count()
        self._channel.settimeout(_SECONDS)
        try:
            packet, _ = receive(self._channel)
        except TimeoutError:
            packet = None
        if packet is None:
            self.stop()
            raise CannotRunError("the victim program did not start")
        self.familiar = learn_process(self._process.pid)

    def spawn(self, kind: str) -> tuple[int, socket.socket]:
        """Fork a victim; return its process id and its socket."""
        mine, theirs = _channels()
        with theirs:
            reply = self._ask({"op": "spawn", "kind": kind}, theirs.fileno())
        return int(reply["pid"]), mine

    def wait(self, pid: int, seconds: float) -> Packet:
        """Return how a victim ended: "signal" or "code", or "running"."""
        reply = self._ask({"op": "wait", "pid": pid, "seconds": seconds})
        return {key: reply[key] for key in reply if key != "request"}

    def stop(self) -> None:
        """End the program; its victims end with it."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, packet: Packet, *fds: int) -> Packet:
        """Send a request and return its reply, and no earlier one."""
        number = os.getpid() << 32 | next(self._requests)
        send(self._channel, {"request": number, **packet}, *fds)
        while True:
            reply, _ = receive(self._channel)
            if reply is None:
                raise VictimDiedError("the victim program ended")
            if reply["request"] == number:
                return reply


class VictimHandle:
    """
    One victim: its process, its needle and, where it has one, its address.

    ``span`` is what the attacker knows: the address of the ordinary kinds;
    for a Secret only the address of a view that was opened.
    """

    def __init__(
        self, nursery: Nursery, kind: str, form: Callable[[bytes], bytes]
    ) -> None:
        """Fork the victim and hand it ``form`` of a fresh needle."""
        self.kind = kind
        self.needle = Needle()
        self._nursery = nursery
        self.pid, self._channel = nursery.spawn(kind)
        text = form(self.needle.text)
        self.facts = plant(self._channel, len(text), _writer_of(text))
        self.span: kinds.Span | None = self._known()

    def __enter__(self) -> Self:
        """Return the victim."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the victim end."""
        self._channel.close()

    @property
    def is_secret(self) -> bool:
        """Tell whether a `Secret` holds the needle."""
        return self.kind in kinds.SECRET_KINDS

    def ask(self, op: str, *fds: int, **arguments: object) -> Packet:
        """Send a request and return the reply; raises `VictimError`."""
        self.tell(op, *fds, **arguments)
        return self.hear()

    def tell(self, op: str, *fds: int, **arguments: object) -> None:
        """Send a request without waiting; raises `VictimDiedError`."""
        try:
            send(self._channel, {"op": op, **arguments}, *fds)
        except ConnectionError as error:
            raise VictimDiedError("the victim ended") from error

    def hear(self) -> Packet:
        """Return the next reply; raises `VictimError`, `VictimDiedError`."""
        return hear(self._channel)

    def call(self, attack: str, *fds: int, **arguments: object) -> Packet:
        """Run ``inside`` of an attack's module in the victim."""
        return self.ask("call", *fds, attack=attack, arguments=arguments)

    @contextlib.contextmanager
    def opened(self) -> Iterator[kinds.Span]:
        """Let the victim hold its secret open; give its address."""
        reply = self.ask("open")
        before, self.span = self.span, _span_of(reply)
        try:
            yield kinds.Span(reply["address"], reply["size"])
        finally:
            self.span = before
            with contextlib.suppress(VictimDiedError, OSError):
                self.ask("shut")

    def search_file(self, data: bytes) -> Find | None:
        """Look for the needle, in any form, in a core file."""
        find, familiar = self.needle.find_any_form, self._nursery.familiar
        for offset, part in elf.parts(data):
            found = maps.find_strange(part, find, familiar)
            if found is not None:
                return found._replace(offset=found.offset + offset)
        return None

    def search_memory(self, *, everywhere: bool = False) -> maps.Scan:
        """
        Look for the needle, in any form, wherever the victim can write.

        ``everywhere`` adds what is mapped read-only.
        """
        return maps.scan(
            self.pid,
            self.needle.find_any_form,
            lambda mapping: everywhere or mapping.changeable,
            self._nursery.familiar,
        )

    def digest(self) -> str:
        """Return the SHA-256 of what the victim holds now."""
        return str(self.ask("digest")["digest"])

    def targets(self) -> list[kinds.Span]:
        """
        Return where an attacker looks.

        The address if one is known, then every page of every mapping of
        kernel secretmem.
        """
        found = [] if self.span is None else [self.span]
        secret = maps.pages(maps.secret_mappings(self.pid))
        return found + [kinds.Span(page, linux.PAGE) for page in secret]

    def pages(self) -> list[int]:
        """Return the addresses of the pages that hold the needle at rest."""
        if self.span is None:
            return list(maps.pages(maps.secret_mappings(self.pid)))
        end = self.span.address + self.span.size
        return list(range(self.span.page, end, linux.PAGE))

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the victim a signal."""
        os.kill(self.pid, number)

    def ending(self, seconds: float = 30.0) -> Packet:
        """Wait for the end of the victim and return how it ended."""
        return self._nursery.wait(self.pid, seconds)

    def _known(self) -> kinds.Span | None:
        """Return the address that the victim gives away."""
        return _span_of(self.ask("known"))


class Stage:
    """What an attack gets to work with."""

    def __init__(self, nursery: Nursery, directory: Path) -> None:
        """Use victims of ``nursery`` and files in ``directory``."""
        self._nursery = nursery
        self.directory = directory

    def victim(
        self, kind: str, form: Callable[[bytes], bytes] = bytes
    ) -> VictimHandle:
        """
        Make a victim of ``kind`` that holds a fresh needle.

        ``form`` makes of the needle what the victim gets, such as its
        base64 text.  Raises `VictimError` where the kind cannot be made.
        """
        return VictimHandle(self._nursery, kind, form)


def plant(
    channel: socket.socket, size: int, write: Callable[[int], object]
) -> Packet:
    """
    Let a victim read ``size`` bytes from a pipe that ``write`` fills.

    Returns what the victim says about itself; raises `VictimError`.
    """
    reader, writer = os.pipe()
    try:
        send(channel, {"op": "plant", "size": size}, reader)
    finally:
        os.close(reader)
    with (
        os.fdopen(writer, "wb", buffering=0) as pipe,
        contextlib.suppress(BrokenPipeError),  # the reply says why
    ):
        write(pipe.fileno())
    return hear(channel)


def hear(channel: socket.socket) -> Packet:
    """Return a victim's reply; raises `VictimError`, `VictimDiedError`."""
    reply, _ = receive(channel)
    if reply is None:
        raise VictimDiedError("the victim ended")
    if "error" in reply:
        raise VictimError(reply)
    return reply


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Make a directory for core files and the like, and remove it."""
    with tempfile.TemporaryDirectory(prefix="secretmem-prove-") as name:
        yield Path(name)


def read_all(fd: int, seconds: float = 2.0) -> bytes:
    """Return what is in a pipe or socket until its end or a pause."""
    import select

    parts: list[bytes] = []
    while select.select([fd], [], [], seconds)[0]:
        data = os.read(fd, 1 << 16)
        if not data:
            break
        parts.append(data)
    return b"".join(parts)


def _writer_of(text: bytes) -> Callable[[int], object]:
    """Return a function that writes ``text`` to a descriptor."""

    def write(fd: int) -> None:
        left = text
        while left:
            left = left[os.write(fd, left) :]

    return write


def _start(fd: int) -> subprocess.Popen[bytes]:
    """Start the victim program, which talks through descriptor ``fd``."""
    program = [sys.executable, "-P", "-m", "secretmem.prove.victim", str(fd)]
    try:
        return subprocess.Popen(
            program, pass_fds=[fd], stdin=subprocess.DEVNULL
        )
    except OSError as error:
        name = linux.error_name(error.errno)
        raise CannotRunError(f"{sys.executable}: {name}") from error


def _channels() -> Sequence[socket.socket]:
    """Return the two ends of a channel for packets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _span_of(reply: Packet) -> kinds.Span | None:
    """Return the range in a reply, if there is one."""
    if "address" not in reply:
        return None
    return kinds.Span(int(reply["address"]), int(reply["size"]))
