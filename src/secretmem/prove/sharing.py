"""
Secrets with a file behind them, for the attacks on descriptors.

A `Secret` keeps no descriptor.  To show what the descriptor would give away,
a victim can map its kind's file (memfd_create for ordinary memory, a
`SecretArea` for secretmem) and keep the descriptor open.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any

from secretmem.prove import kinds, linux
from secretmem.prove.attack import Cell, Outcome


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import VictimHandle


def share(
    place: Place, fds: list[int], *, size: int, keep: bool
) -> dict[str, Any]:
    """
    In the victim: map a file of this kind and read the needle into it.

    Returns the descriptor's number, None when it was closed (``keep`` off)
    or when this kind has no file.
    """
    shared = place.share(size, keep=keep)
    if shared is None:
        return {"file": False}
    kinds.read_exactly(fds[0], shared.span.address, size)
    return {"file": True, "fd": shared.fd, "address": shared.span.address}


def fill(victim: VictimHandle, attack: str, *, keep: bool) -> dict[str, Any]:
    """Let the victim share a file that holds the needle."""
    reader, writer = os.pipe()
    try:
        os.write(writer, victim.needle.text)
        size = len(victim.needle.text)
        return victim.call(attack, reader, size=size, keep=keep)
    finally:
        os.close(reader)
        os.close(writer)


def no_file(kind: str) -> Cell:
    """Report a kind of memory that has no file."""
    text = "anonymous memory has no file and no descriptor"
    return Cell(kind, Outcome.NO_TARGET, text)


def descriptors(pid: int) -> list[int]:
    """Return the open descriptors of a process."""
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names are numbers


def map_and_read(fd: int) -> bytes:
    """Return the first page of a file, mapped shared; raises OSError."""
    address = linux.map_file(fd, mmap.PAGESIZE)
    try:
        # A page past the end of the file is SIGBUS; through a pipe EFAULT.
        reader, writer = os.pipe()
        try:
            linux.write_from(writer, address, mmap.PAGESIZE)
            return os.read(reader, mmap.PAGESIZE)
        finally:
            os.close(reader)
            os.close(writer)
    finally:
        linux.unmap(address, mmap.PAGESIZE)


def steal(victim: VictimHandle, how: str, take: Callable[[int], int]) -> Cell:
    """
    Take every descriptor of the victim with ``take`` and map it.

    The needle found in one of them is a leak.  Otherwise the evidence names
    the descriptors and the refusals of those that are files in memory.
    """
    refusals: list[str] = []
    tried = descriptors(victim.pid)
    for number in tried:
        link = _link(victim.pid, number)
        try:
            fd = take(number)
        except OSError as error:
            refusals.append(_said(number, link, error))
            continue
        found = victim.needle.find(_content(fd))
        if found is not None:
            text = f"{how}: descriptor {number} ({link}): {found}"
            return Cell(victim.kind, Outcome.LEAKED, text)
    return _kept(victim.kind, how, tried, refusals)


def _content(fd: int) -> bytes:
    """Return what a stolen descriptor shows, and close it."""
    try:
        return map_and_read(fd)
    except OSError:  # not a file that can be mapped
        return b""
    finally:
        os.close(fd)


def _kept(kind: str, how: str, tried: list[int], refusals: list[str]) -> Cell:
    """Report descriptors none of which gave the needle away."""
    secret = [text for text in refusals if "/secretmem" in text]
    listed = "; ".join(secret) or "none is a secretmem file"
    text = f"{how}: {len(tried)} descriptors tried, {listed}"
    code = secret[0].rsplit(" ", 1)[-1] if secret else ""
    outcome = Outcome.REFUSED if secret else Outcome.ABSENT
    return Cell(kind, outcome, text, code)


def _link(pid: int, number: int) -> str:
    """Return what a descriptor is, as /proc shows it."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{number}")  # noqa: PTH115 - not a path to compute with
    except OSError:
        return "?"


def _said(number: int, link: str, error: OSError) -> str:
    """Return a refusal in words, the errno last."""
    return f"descriptor {number} ({link}): {linux.error_name(error.errno)}"
