"""Use the secret in every way there is, and search for copies left behind."""

from __future__ import annotations

import base64
import os
import pty
import termios
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from secretmem.prove import linux, maps
from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer, Outcome


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem import Secret
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


_SIZE = 32
_SECONDS = 60.0


def _plain(secret: Secret, _fds: list[int]) -> object:
    return secret


def _from_file(secret: Secret, fds: list[int]) -> object:
    return type(secret).from_file(f"/proc/self/fd/{fds[0]}")


def _from_bytes(secret: Secret, fds: list[int]) -> object:
    buffer = bytearray(_SIZE)
    os.readv(fds[0], [buffer])
    return type(secret).from_bytes(buffer, wipe=True)


def _from_base64(secret: Secret, _fds: list[int]) -> object:
    return type(secret).from_base64(secret)


def _from_hex(secret: Secret, _fds: list[int]) -> object:
    return type(secret).from_hex(secret)


def _strip(secret: Secret, _fds: list[int]) -> object:
    return secret.strip()


def _slice_and_add(secret: Secret, _fds: list[int]) -> object:
    return secret[2:30] + secret[:]


def _compare(secret: Secret, _fds: list[int]) -> object:
    other = secret[:]
    wrong = b"not the secret, but as long: 32."
    return (secret == other, secret.matches(wrong), secret.matches("no"))


def _reveal(secret: Secret, _fds: list[int]) -> object:
    with secret.reveal() as view:
        size = len(view)
    with secret.reveal(writable=True) as view:
        view[0] = view[0]
    return size


def _write_to(secret: Secret, fds: list[int]) -> object:
    secret.write_to(fds[1])
    return None


def _close(secret: Secret, _fds: list[int]) -> object:
    secret.close()
    return None


def _prompt(secret: Secret, fds: list[int]) -> object:
    os.setsid()  # no controlling terminal: standard input is asked
    os.dup2(fds[2], 0)
    return type(secret).prompt("")


class _Operation(NamedTuple):
    """What the victim is given and what it does with it."""

    run: Callable[[Secret, list[int]], object]
    form: Callable[[bytes], bytes] = bytes


OPERATIONS = {
    "from_fd": _Operation(_plain),
    "from_file": _Operation(_from_file),
    "from_bytes(wipe=True)": _Operation(_from_bytes),
    "from_base64": _Operation(_from_base64, base64.b64encode),
    "from_hex": _Operation(_from_hex, lambda text: text.hex().encode()),
    "strip": _Operation(_strip, lambda text: b"  " + text + b"\n"),
    "slice and +": _Operation(_slice_and_add),
    "== and matches": _Operation(_compare),
    "reveal": _Operation(_reveal),
    "write_to": _Operation(_write_to),
    "prompt": _Operation(_prompt),
    "close": _Operation(_close),
}

# What an operation made lives on while the attacker searches.
_kept: list[object] = []


def inside(
    place: Place, fds: list[int], operation: str = ""
) -> dict[str, Any]:
    """Do one operation on a Secret, or the usual things with bytes."""
    value = place.value()
    if isinstance(value, bytes):
        _use_bytes(value)
        del value
        with place.open() as span:
            linux.wipe(*span)
        return {}
    _kept.append(OPERATIONS[operation].run(value, fds))
    return {}


def _use_bytes(value: bytes) -> None:
    """Do with bytes what programs do with keys; nothing is kept."""
    text = value.decode("ascii")
    halves = value[:20] + value[20:]
    encoded = base64.b64encode(halves)
    if base64.b64decode(encoded) != value or text.strip() != text:
        raise ValueError("the needle does not survive its own encoding")


def run(stage: Stage, kind: str) -> Cell:
    """Do every operation, each in a fresh victim, and search after it."""
    with stage.victim(kind) as victim:
        if not victim.is_secret:
            victim.call("residue")
            result = victim.search_memory()
            text = f"bytes used, deleted, their place wiped: {result}"
            outcome = Outcome.LEAKED if result.find else Outcome.ABSENT
            return Cell(kind, outcome, text)
    found = {name: _after(stage, kind, name) for name in OPERATIONS}
    return _summary(kind, found)


def _summary(kind: str, found: dict[str, maps.Scan]) -> Cell:
    """Report which operations left a copy."""
    leaks = [f"{n}: {scan}" for n, scan in found.items() if scan.find]
    if leaks:
        return Cell(kind, Outcome.LEAKED, "; ".join(leaks))
    searched = sum(scan.searched for scan in found.values()) >> 20
    names = ", ".join(found)
    text = (
        f"after each of {names}: {searched} MiB searched in all, neither "
        "the needle, nor 8 bytes of it, nor an encoding of it"
    )
    return Cell(kind, Outcome.ABSENT, text)


def _after(stage: Stage, kind: str, operation: str) -> maps.Scan:
    """Return what a search finds after one operation."""
    form = OPERATIONS[operation].form
    with stage.victim(kind, form) as victim, _Feed(victim) as feed:
        arguments = {"operation": operation}
        victim.tell("call", *feed.fds, attack="residue", arguments=arguments)
        if operation == "prompt":
            feed.type_when_asked()
        victim.hear()
        return victim.search_memory()


class _Feed:
    """The needle as a file, a pipe to write to, and a terminal."""

    def __init__(self, victim: VictimHandle) -> None:
        """Put the needle into each."""
        file = os.memfd_create("prove-feed")
        self._text = victim.needle.text
        os.pwrite(file, self._text, 0)
        self._pipe = os.pipe()
        self._terminal = pty.openpty()
        self.fds = (file, self._pipe[1], self._terminal[1])

    def __enter__(self) -> Self:
        """Return the feed."""
        return self

    def type_when_asked(self) -> None:
        """Type the needle once the program has switched the echo off."""
        master, slave = self._terminal
        end = time.monotonic() + _SECONDS
        while termios.tcgetattr(slave)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise CannotRunError("the prompt did not switch the echo off")
            time.sleep(0.001)
        os.write(master, self._text + b"\n")

    def __exit__(self, *_: object) -> None:
        """Close all ends."""
        for fd in {*self.fds, *self._pipe, *self._terminal}:
            os.close(fd)


ATTACK = Attack(
    name="residue",
    title="copies on heap and stack",
    layer=Layer.RESIDUE,
    explanation=(
        "The control shows why it matters: a program that reads a key into "
        "bytes, uses them, deletes them and even wipes the place leaves "
        "copies in freed memory. Each operation of a Secret is done in a "
        "fresh process, and all memory that the process can have written is "
        "then searched from outside for the needle, for 8 bytes of it and "
        "for its encodings."
    ),
    run=run,
)
