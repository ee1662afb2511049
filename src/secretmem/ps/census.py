"""Who holds secret memory on this machine, and what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal


if TYPE_CHECKING:
    from collections.abc import Iterable

    from secretmem.ps.proc import Descriptor, Mapping, Proc


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process that holds secret memory.

    Sizes in bytes.  ``mapped`` sums the lengths of its mappings,
    ``resident`` what of them is in RAM (a page mapped twice counts twice)
    and ``share`` the same with each page divided among its mappings; the
    last two are None where smaps is not readable.  ``held`` sums the sizes
    of files that it has open but not mapped.  ``descriptors`` counts open
    ones, None where they cannot be read.  ``since`` is in seconds of the
    epoch: when its oldest secretmem file was made (``since_of`` "file"), or,
    where that is not shown, when the process started ("process").
    """

    pid: int
    comm: str
    uid: int | None
    mapped: int
    resident: int | None
    share: int | None
    held: int
    descriptors: int | None
    files: frozenset[tuple[str, int]]
    since: float | None
    since_of: Literal["file", "process"]


@dataclass(frozen=True, slots=True)
class Census:
    """
    The holders, largest first.

    ``seen`` counts all processes; ``hidden`` lists those whose memory could
    not be read, ``hidden_descriptors`` those whose descriptors could not.
    """

    processes: list[Process]
    seen: int
    hidden: list[int] = field(default_factory=list)
    hidden_descriptors: list[int] = field(default_factory=list)

    @property
    def files(self) -> int:
        """The number of different secretmem files that were seen."""
        return len({file for each in self.processes for file in each.files})

    @property
    def mapped(self) -> int:
        """Bytes mapped, summed over the processes."""
        return sum(each.mapped for each in self.processes)

    @property
    def resident(self) -> int | None:
        """Bytes in RAM, each page counted once; None when not shown."""
        return _total(each.share for each in self.processes)


def take(proc: Proc) -> Census:
    """
    Look at every process.

    Raises OSError when there is no /proc.
    """
    processes: list[Process] = []
    hidden: list[int] = []
    closed: list[int] = []
    pids = proc.pids()
    for pid in pids:
        try:
            mappings = proc.mappings(pid)
        except PermissionError:
            hidden.append(pid)
            mappings = []
        except OSError:
            continue  # it ended meanwhile
        descriptors = proc.descriptors(pid)
        if descriptors is None:
            closed.append(pid)
        if mappings or descriptors:
            processes.append(_process(proc, pid, mappings, descriptors))
    processes.sort(key=lambda each: (-each.mapped, -each.held, each.pid))
    return Census(processes, len(pids), hidden, closed)


def _process(
    proc: Proc,
    pid: int,
    mappings: list[Mapping],
    descriptors: list[Descriptor] | None,
) -> Process:
    """Sum up one holder."""
    mapped_files = {mapping.file for mapping in mappings}
    open_files = {
        each.file: each.size or 0 for each in descriptors or () if each.file
    }
    since = _oldest(proc, pid, mappings, descriptors or [])
    return Process(
        pid=pid,
        comm=proc.comm(pid),
        uid=proc.uid(pid),
        mapped=sum(mapping.size for mapping in mappings),
        resident=_total(mapping.resident for mapping in mappings),
        share=_total(mapping.share for mapping in mappings),
        held=sum(
            size
            for file, size in open_files.items()
            if file not in mapped_files
        ),
        descriptors=None if descriptors is None else len(descriptors),
        files=frozenset(mapped_files | open_files.keys()),
        since=proc.started(pid) if since is None else since,
        since_of="process" if since is None else "file",
    )


def _oldest(
    proc: Proc,
    pid: int,
    mappings: list[Mapping],
    descriptors: list[Descriptor],
) -> float | None:
    """
    Return when the oldest file was made; None unless all of them tell.

    With one file untold, the oldest of the others would be a guess.
    """
    told = {each.file: each.since for each in descriptors}
    for mapping in mappings:
        if mapping.file not in told:
            told[mapping.file] = proc.mapped_since(pid, mapping)
    times = [time for time in told.values() if time is not None]
    return min(times) if times and len(times) == len(told) else None


def _total(sizes: Iterable[int | None]) -> int | None:
    """Return the sum, None when one of the sizes is not known."""
    total = 0
    for size in sizes:
        if size is None:
            return None
        total += size
    return total
