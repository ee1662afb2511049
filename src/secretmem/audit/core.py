"""The audit of a core file, core(5): memory, notes with registers, all."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from secretmem.audit.errors import AuditError
from secretmem.audit.report import Finding, Report


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secretmem.audit.search import Hit, Search

    Progress = Callable[[int, int], None]


_MAGIC = b"\x7fELF\x02"
_CORE = 4
_LOAD, _NOTE = 1, 4

# Beyond this number of program headers the true one is elsewhere, elf(5).
_MANY = 0xFFFF

# e_type, e_phoff, e_phentsize, e_phnum; then p_type, p_flags, p_offset,
# p_vaddr, p_filesz.
_TABLE = struct.Struct("=16xH14xQ14xHH")
_HEADER = struct.Struct("=IIQQ8xQ")
_SIZE = 64
"""Bytes of the header of the file."""


class _Part(NamedTuple):
    """A segment of the file."""

    start: int
    stop: int
    kind: str
    address: int


def audit_core(
    path: Path,
    search: Search,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """
    Look for keys in a core file, all of it.

    Args:
        path: An ELF core file of 64 bits, not compressed.
        search: What to look for.
        progress: Told how many bytes are done, of how many.

    Raises:
        AuditError: It cannot be read or is no such file.
    """
    began = time.monotonic()
    report = Report(f"core file {path}", search.forms)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            parts = _parts(fd, path)
            done = 0

            def searched(count: int) -> None:
                nonlocal done
                done += count
                progress(done, size)

            hits, unread = search.scan(fd, 0, size, searched)
        finally:
            os.close(fd)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}") from error
    lost = sum(map(len, unread))
    report.searched = done - lost
    if done < size or lost:
        report.gaps.append("the file could not be read to its end")
    report.findings = [_finding(hit, parts) for hit in hits]
    report.seconds = time.monotonic() - began
    return report


def _parts(fd: int, path: Path) -> list[_Part]:
    """Read the program headers; none of them is memory."""
    head = os.pread(fd, _SIZE, 0)
    kind, at, size, count = (
        _TABLE.unpack_from(head) if len(head) == _SIZE else (0, 0, 0, 0)
    )
    if not head.startswith(_MAGIC) or kind != _CORE:
        raise AuditError(
            f"{path} is no ELF core file of 64 bits",
            "a compressed one is unpacked by zstd -d, one of systemd by "
            "coredumpctl dump -o FILE",
        )
    if count == _MANY:
        raise AuditError(f"{path} has more than {_MANY} segments")
    table = os.pread(fd, size * count, at)
    parts = []
    for index in range(len(table) // size):
        kind, _, offset, address, length = _HEADER.unpack_from(
            table, index * size
        )
        if kind in (_LOAD, _NOTE) and length:
            name = "memory" if kind == _LOAD else "notes"
            parts.append(_Part(offset, offset + length, name, address))
    return parts


def _finding(hit: Hit, parts: list[_Part]) -> Finding:
    kind, where, address = "file", "outside all segments", hit.address
    for part in parts:
        if part.start <= hit.address < part.stop:
            kind, where = part.kind, "with the registers"
            if kind == "memory":
                where = f"segment {part.address:#x}"
                address = hit.address - part.start + part.address
            break
    return Finding(hit.form.key, str(hit.form), kind, where, address, hit.size)
