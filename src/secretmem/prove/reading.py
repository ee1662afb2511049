"""
How an attacker tries a way to read, or to change, and reports it.

Shared by the attacks that differ only in the call they make.
"""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING

from secretmem.prove import linux
from secretmem.prove.attack import Cell, Outcome
from secretmem.prove.stage import VictimError, read_all


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secretmem.prove.kinds import Span
    from secretmem.prove.needle import Needle
    from secretmem.prove.stage import Stage, VictimHandle


def read_each(
    victim: VictimHandle,
    call: str,
    read: Callable[[Span], bytes],
) -> Cell:
    """
    Read every target of ``victim`` with ``read`` and judge what came.

    The victim holds its secret open meanwhile, and the attacker knows the
    address: no attacker is better placed.  ``call`` names the way.
    """
    with victim.opened():
        return try_targets(victim, victim.targets(), call, read)


def try_targets(
    victim: VictimHandle,
    targets: Iterable[Span],
    call: str,
    read: Callable[[Span], bytes],
) -> Cell:
    """Read ``targets`` until the needle turns up; errors are counted."""
    errors: collections.Counter[str] = collections.Counter()
    got = tried = 0
    for span in targets:
        tried += 1
        try:
            data = read(span)
        except OSError as error:
            errors[linux.error_name(error.errno)] += 1
            continue
        got += len(data)
        found = victim.needle.find(data)
        if found is not None:
            evidence = (
                f"{call} of {len(data)} bytes at {span.address:#x} in "
                f"process {victim.pid}: {found}"
            )
            return Cell(victim.kind, Outcome.LEAKED, evidence)
    return without_find(victim.kind, call, tried, got, errors)


def without_find(
    kind: str,
    call: str,
    tried: int,
    got: int,
    errors: collections.Counter[str],
) -> Cell:
    """Report an attack that did not find the needle."""
    names = ", ".join(f"{name} {n} times" for name, n in errors.items())
    evidence = f"{call} tried at {_counted(tried, 'place')}: "
    evidence += names or "no error"
    if got:
        evidence += f"; {got} bytes read, not the needle"
    if not tried:
        evidence = f"{call}: the attacker finds no place to try"
    if errors:
        code = errors.most_common(1)[0][0]
        return Cell(kind, Outcome.REFUSED, evidence, code)
    return Cell(kind, Outcome.ABSENT, evidence)


def by_pipe(stage: Stage, kind: str, attack: str, how: str) -> Cell:
    """Hand the victim the end of a pipe, and judge what comes out of it."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb", buffering=0) as source,
        os.fdopen(writer, "wb", buffering=0) as sink,
        stage.victim(kind) as victim,
    ):
        with victim.opened() as span:
            cell = try_inside(victim, how, attack, span, sink.fileno())
            sink.close()
            data = b"" if cell else read_all(source.fileno())
        return cell or seen(kind, victim.needle, data, how)


def change_each(
    victim: VictimHandle,
    call: str,
    write: Callable[[int, bytes], int],
) -> Cell:
    """
    Overwrite every target with ``write(address, data)``; see what changed.

    Eight bytes are written at each place, and the victim compares what it
    holds with what it held.
    """
    before = victim.digest()
    errors: collections.Counter[str] = collections.Counter()
    written = 0
    with victim.opened():
        for span in victim.targets():
            try:
                written += write(span.address, b"tampered")
            except OSError as error:
                errors[linux.error_name(error.errno)] += 1
    if victim.digest() != before:
        evidence = (
            f"{call} wrote {written} bytes into process {victim.pid}: "
            "what it holds has changed"
        )
        return Cell(victim.kind, Outcome.CHANGED, evidence)
    tried = errors.total() + written // 8
    return without_find(victim.kind, call, tried, 0, errors)


def seen(kind: str, needle: Needle, data: bytes, how: str) -> Cell:
    """Judge ``data`` that an attack brought out: leaked or absent."""
    found = needle.find_any_form(data)
    if found is None:
        text = f"{how}: {_counted(len(data), 'byte')}, not the needle"
        return Cell(kind, Outcome.ABSENT, text)
    return Cell(kind, Outcome.LEAKED, f"{how}: {found}")


def seen_in_dump(victim: VictimHandle, data: bytes, how: str) -> Cell:
    """Judge a dump of the victim's memory: leaked or absent."""
    found = victim.search_file(data)
    how = f"{how}, {len(data) >> 10} KiB"
    if found is None:
        text = f"{how}: neither the needle, nor 8 bytes, nor an encoding"
        return Cell(victim.kind, Outcome.ABSENT, text)
    return Cell(victim.kind, Outcome.LEAKED, f"{how}: {found}")


def refused(kind: str, how: str, error: OSError) -> Cell:
    """Report a call that the kernel refused."""
    name = linux.error_name(error.errno)
    return Cell(kind, Outcome.REFUSED, f"{how}: {name}", name)


def open_memory(pid: int, flags: int) -> int:
    """Open /proc/PID/mem."""
    return os.open(f"/proc/{pid}/mem", flags | os.O_CLOEXEC)


def _counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def try_inside(
    victim: VictimHandle, how: str, attack: str, span: Span, *fds: int
) -> Cell | None:
    """
    Run an attack's ``inside`` on an open secret.

    A refusal by the kernel becomes a cell.

    Returns None when the call went through: what it brought out decides.
    """
    try:
        victim.call(attack, *fds, address=span.address, size=span.size)
    except VictimError as error:
        if error.errno is None:
            raise
        name = linux.error_name(int(error.errno))
        evidence = f"{how}: {error.message}"
        return Cell(victim.kind, Outcome.REFUSED, evidence, name)
    return None
