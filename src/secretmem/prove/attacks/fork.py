"""Fork the victim, and let the child read what it inherited."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux, maps
from secretmem.prove.attack import Attack, Cell, Layer, Outcome
from secretmem.prove.reading import seen
from secretmem.prove.stage import read_all


if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage, VictimHandle


def inside(place: Place, fds: list[int]) -> dict[str, Any]:
    """
    Fork; the child writes to the pipe what it can read, and stays.

    First the child uses the object as a program would, then it passes every
    page where the parent had the secret to write(2).
    """
    pages = list(maps.pages(maps.secret_mappings(os.getpid())))
    pid = os.fork()
    if pid:
        return {"pid": pid, "pages": len(pages), "used": _hear(fds[1])}
    linux.invite_attackers()
    said = b"used"
    try:
        with place.open() as span:
            linux.write_from(fds[0], *span)
    except BaseException as error:  # noqa: BLE001 - the name is the result
        said = type(error).__name__.encode()
    _write_pages(fds[0], pages)
    os.write(fds[2], said)
    os.close(fds[0])
    os.close(fds[2])
    os.read(fds[3], 1)  # until the attacker has looked at this process
    os._exit(0)


def run(stage: Stage, kind: str) -> Cell:
    """Read what the child wrote, then search the child's memory."""
    out, status, stay = os.pipe(), os.pipe(), os.pipe()
    ends = [out[1], status[0], status[1], stay[0]]
    try:
        with stage.victim(kind) as victim:
            reply = victim.call("fork", *ends)
            os.close(out[1])
            ends.remove(out[1])
            cell = seen(
                kind,
                victim.needle,
                read_all(out[0]),
                f"child {reply['pid']}: object {reply['used']}, "
                f"{reply['pages']} secret pages tried with write(2)",
            )
            return _with_scan(victim, cell, reply)
    finally:
        for fd in (*ends, out[0], stay[1]):
            os.close(fd)


def _with_scan(
    victim: VictimHandle, cell: Cell, reply: dict[str, Any]
) -> Cell:
    """Add a search through the child's memory from outside."""
    if cell.outcome is Outcome.LEAKED:
        return cell
    result = maps.scan(
        reply["pid"], victim.needle.find, lambda mapping: mapping.changeable
    )
    evidence = f"{cell.evidence}; child searched from outside: {result}"
    if result.find is not None:
        return Cell(victim.kind, Outcome.LEAKED, evidence)
    if reply["used"] == "used":
        return Cell(victim.kind, Outcome.ABSENT, evidence)
    return Cell(victim.kind, Outcome.REFUSED, evidence, reply["used"])


def _hear(fd: int) -> str:
    """Return what the child said about the use of the object."""
    return os.read(fd, 100).decode("ascii")


def _write_pages(fd: int, pages: Iterable[int]) -> None:
    """Pass every page to write(2); refusals are what is hoped for."""
    for page in pages:
        try:
            linux.write_from(fd, page, linux.PAGE)
        except OSError:
            continue


ATTACK = Attack(
    name="fork",
    title="fork: what a child inherits",
    layer=Layer.DESCRIPTOR,
    explanation=(
        "A forked child has a copy of its parent's memory. A Secret is "
        "private: its mapping is MADV_DONTFORK, and using the object in the "
        "child raises ForkError. The child's memory is searched from "
        "outside as well."
    ),
    run=run,
)
