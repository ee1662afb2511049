"""
Mappings of a process (VMAs): ranges of pages with one set of rights.

Ranges here are page numbers, half open: [start, end).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from secretmem.model import abi


if TYPE_CHECKING:
    from secretmem.model.files import SecretFile


class VmFlag(enum.Flag):
    """The flags of a VMA that the model knows, by their smaps codes."""

    NONE = 0
    LOCKED = enum.auto()
    DONTDUMP = enum.auto()
    DONTFORK = enum.auto()
    WIPEONFORK = enum.auto()
    DONTEXPAND = enum.auto()
    SEALED = enum.auto()
    EXCLUSIVE = enum.auto()


_SMAPS_CODES = {
    VmFlag.LOCKED: "lo",
    VmFlag.DONTDUMP: "dd",
    VmFlag.DONTFORK: "dc",
    VmFlag.WIPEONFORK: "wf",
    VmFlag.DONTEXPAND: "de",
    VmFlag.SEALED: "sl",
}


@dataclass(eq=False)
class Vma:
    """
    One mapping.

    Attributes:
        start, end: page numbers, half open.
        prot: PROT_READ, PROT_WRITE, PROT_EXEC bits.
        file: the secretmem file, or None for private anonymous memory.
        index: page index in the file of `start`.
        flags: see `VmFlag`.

    """

    start: int
    end: int
    prot: int
    file: SecretFile | None = None
    index: int = 0
    flags: VmFlag = VmFlag.NONE

    @property
    def pages(self) -> int:
        """Pages it covers."""
        return self.end - self.start

    @property
    def secret(self) -> bool:
        """Whether get_user_pages is refused on it."""
        return self.file is not None or VmFlag.EXCLUSIVE in self.flags

    def allows(self, *, write: bool) -> bool:
        """Tell whether a load (or a store) is allowed; x86 rules."""
        if write:
            return bool(self.prot & abi.PROT_WRITE)
        return self.prot != abi.PROT_NONE

    def file_page(self, page: int) -> int:
        """Give the index in the file of `page`."""
        return self.index + page - self.start

    def codes(self) -> set[str]:
        """Give the smaps VmFlags codes of the flags the model knows."""
        return {
            code for flag, code in _SMAPS_CODES.items() if flag in self.flags
        }


class VmaList:
    """The mappings of one process, in address order, never overlapping."""

    def __init__(self) -> None:
        """Start with no mapping."""
        self._vmas: list[Vma] = []

    def all(self) -> list[Vma]:
        """Give every mapping, lowest first."""
        return list(self._vmas)

    def at(self, page: int) -> Vma | None:
        """Give the mapping of `page`."""
        for vma in self._vmas:
            if vma.start <= page < vma.end:
                return vma
        return None

    def over(self, start: int, end: int) -> list[Vma]:
        """Give the mappings that touch [start, end)."""
        return [v for v in self._vmas if v.start < end and v.end > start]

    def carve(self, start: int, end: int) -> list[Vma]:
        """Split at both ends; give the mappings inside [start, end)."""
        for edge in (start, end):
            vma = self.at(edge)
            if vma is not None and vma.start < edge:
                self._split(vma, edge)
        return self.over(start, end)

    def add(self, vma: Vma) -> None:
        """Insert a mapping into a free range."""
        if vma.file is not None:
            vma.file.hold()
        self._vmas.append(vma)
        self._vmas.sort(key=lambda each: each.start)

    def drop(self, vma: Vma) -> None:
        """Remove one mapping and its hold on the file."""
        self._vmas.remove(vma)
        if vma.file is not None:
            vma.file.let_go()

    def gap(self, start: int, end: int) -> int | None:
        """Give the first page of [start, end) that nothing maps."""
        page = start
        for vma in self.over(start, end):
            if vma.start > page:
                return page
            page = vma.end
        return page if page < end else None

    def _split(self, vma: Vma, edge: int) -> None:
        upper = replace(vma, start=edge, index=vma.file_page(edge))
        vma.end = edge
        self.add(upper)
