"""
The audit of a running process, from outside.

``/proc/PID/mem`` ignores page protections, so memory that the process itself
cannot read is read too.  A thread is stopped (ptrace(2), PTRACE_SEIZE) just
for as long as its registers are read; with ``hold`` all threads stay stopped
until the memory is searched, so that nothing moves meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from secretmem.audit import maps
from secretmem.audit.errors import AuditError, refused
from secretmem.audit.report import Finding, Report
from secretmem.audit.stops import PATIENCE, CannotStop, stopped


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem.audit.maps import Mapping
    from secretmem.audit.search import Hit, Search

    Progress = Callable[[int, int], None]
    """Told how many bytes are done, of how many."""


# What is found beyond this tells nothing new.
_MOST = 10_000

# Seconds for each further thread when one could not be stopped: there may be
# thousands, and with `hold` all others stand still meanwhile.
_IMPATIENCE = 0.05

# Intel SDM volume 1, 13.4: where registers lie in XSTATE; the rest is where
# the maker of the processor put it.
_XSTATE = (
    (32, 160, "st0-7"),
    (160, 416, "xmm"),
    (576, 832, "ymm, upper half"),
)


def audit_process(
    pid: int,
    search: Search,
    *,
    hold: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """
    Look for keys in all readable memory and all registers of a process.

    Args:
        pid: The process; not this one.
        search: What to look for.
        hold: Keep the process stopped until its memory was searched.
        progress: Called now and then.

    Raises:
        AuditError: It may not be looked into, is not there, or is this one.
    """
    if pid == os.getpid():
        raise AuditError("a process cannot audit itself: it cannot stop")
    report = _look(pid, search, hold=hold, progress=progress)
    assert report is not None  # noqa: S101 - without a condition
    return report


def sample_process(pid: int, search: Search, *, inside: bool) -> Report | None:
    """
    Stop a process for a quick look, as one of many.

    Pages of files that the process never wrote to are left out.

    Args:
        pid: The process; not this one.
        search: What to look for.
        inside: Look only if the main thread is on another stack than its own,
            which means for secretmem: in the middle of an operation.

    Returns:
        What was seen, or None if the moment was another one.

    Raises:
        AuditError: As for `audit_process`.
    """
    return _look(pid, search, hold=True, written=True, inside=inside)


def _look(
    pid: int,
    search: Search,
    *,
    hold: bool,
    written: bool = False,
    inside: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> Report | None:
    began = time.monotonic()
    report = Report(f"process {pid} ({_name(pid)})", search.forms)
    try:
        with (
            _Memory(pid, written=written) as memory,
            contextlib.ExitStack() as held,
        ):
            stacks = _registers(pid, search, report, held if hold else None)
            if inside and (
                pid not in stacks or memory.on_its_stack(stacks[pid])
            ):
                return None
            _scan(memory, search, report, set(stacks.values()), progress)
    except OSError as error:
        raise refused(pid, error) from error
    report.seconds = time.monotonic() - began
    return report


def threads(pid: int) -> list[int]:
    """List the threads of a process; OSError if it is not there."""
    return sorted(int(each) for each in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - numbers, not paths


class _Memory:
    """The memory of a process, opened."""

    def __init__(self, pid: int, *, written: bool) -> None:
        """Open it; OSError if this process may not."""
        self.pid = pid
        self.written = written
        self._close = contextlib.ExitStack()
        try:
            self.mem = self._open("mem")
            self.pagemap = self._open("pagemap")
        except BaseException:
            self._close.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close.close()

    def _open(self, name: str) -> int:
        path = f"/proc/{self.pid}/{name}"
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._close.callback(os.close, fd)
        return fd

    def parts(self) -> list[tuple[Mapping, list[range]]]:
        """List what there is to search."""
        return [
            (
                mapping,
                list(maps.runs(self.pagemap, mapping, written=self.written)),
            )
            for mapping in maps.mappings(self.pid)
        ]

    def exists(self, mapping: Mapping) -> bool:
        """
        Tell whether a process still has this memory.

        The files belong to the memory that there was when they were opened,
        whatever the process, or another one of that number, has now: after
        execve(2) and after the end of a process, reads give 0 bytes
        (fs/proc/task_mmu.c, pagemap_read).
        """
        at = mapping.start // maps.PAGE * maps.ENTRY
        return bool(os.pread(self.pagemap, maps.ENTRY, at))

    def on_its_stack(self, pointer: int) -> bool:
        """Tell whether a stack pointer is in the main thread's own stack."""
        return any(
            mapping.kind == "stack" and mapping.start <= pointer < mapping.stop
            for mapping in maps.mappings(self.pid)
        )


def _name(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace")
    except OSError as error:
        raise refused(pid, error) from error
    return text.strip()


def _registers(
    pid: int,
    search: Search,
    report: Report,
    held: contextlib.ExitStack | None,
) -> dict[int, int]:
    """
    Look in the registers of all threads; gives their stack pointers.

    Threads that are started meanwhile are looked at too.  One that cannot be
    stopped is a gap in the report.
    """
    seen: set[int] = set()
    stacks = {}
    missed = False
    while fresh := set(threads(pid)) - seen:
        for thread in sorted(fresh):
            seen.add(thread)
            with contextlib.ExitStack() as block:
                began = time.monotonic()
                try:
                    (held or block).enter_context(
                        stopped(thread, _IMPATIENCE if missed else PATIENCE)
                    )
                    pointer, hits = search.registers(thread)
                except CannotStop as error:
                    missed = True
                    report.gaps.append(str(error))
                    continue
                except ProcessLookupError:
                    if thread == pid:
                        raise
                    continue  # it ended
            report.stopped = max(report.stopped, time.monotonic() - began)
            report.threads += 1
            stacks[thread] = pointer
            report.findings += [
                _in_registers(thread, name, hit) for name, hit in hits
            ]
    return stacks


def _in_registers(thread: int, name: str, hit: Hit) -> Finding:
    if name == "vector" and platform.machine() == "x86_64":
        name = next(
            (part for low, high, part in _XSTATE if low <= hit.address < high),
            "vector",
        )
    where = f"{name}, thread {thread}"
    return Finding(
        hit.form.key,
        str(hit.form),
        "registers",
        where,
        hit.address,
        hit.size,
    )


def _scan(
    memory: _Memory,
    search: Search,
    report: Report,
    stacks: set[int],
    progress: Progress,
) -> None:
    parts = memory.parts()
    if not parts:
        raise ProcessLookupError(errno.ESRCH, "no memory")
    total = sum(len(run) for _, found in parts for run in found)
    done = 0

    def searched(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    for mapping, found in parts:
        for run in found:
            if len(report.findings) >= _MOST:
                report.gaps.append(f"more than {_MOST} pieces were found")
                return
            before = done
            hits, unread = search.scan(
                memory.mem, run.start, run.stop, searched
            )
            lost = sum(map(len, unread))
            report.searched += done - before - lost
            if lost:
                name = mapping.name
                report.refused[name] = report.refused.get(name, 0) + lost
            report.findings += _in_memory(mapping, hits, stacks)
    if done < total or not memory.exists(parts[0][0]):
        report.gaps.append("the process ended or called execve(2) meanwhile")


def _in_memory(
    mapping: Mapping, hits: list[Hit], stacks: set[int]
) -> Iterator[Finding]:
    kind = mapping.kind
    if kind == "anonymous" and any(
        mapping.start <= pointer < mapping.stop for pointer in stacks
    ):
        kind = "thread stack"
    where = "" if mapping.name in ("[heap]", "[stack]") else mapping.name
    for hit in hits:
        yield Finding(
            hit.form.key,
            str(hit.form),
            kind,
            where,
            hit.address,
            hit.size,
        )
