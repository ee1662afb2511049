"""
What a key leaves in ordinary memory, by library.

A process for each library and operation loads a fresh key, uses it many
times, and releases it; the auditor looks into it at each moment, and takes
samples in the middle of operations.  secretmem must leave nothing; the other
libraries are the controls, and must show.  Each look must also find a value
that the process holds in plain sight, whatever the library.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from secretmem import Secret, _native
from secretmem.audit import Planted, Search, audit_process, sample_process
from secretmem.prove import residue_victim as victim
from secretmem.prove.residue_victim import AES_GCM, ED25519, RSA


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from secretmem.audit import Report


LIBRARIES = tuple(victim.HOLDERS)
OPERATIONS = (ED25519, AES_GCM, RSA)
OURS = "secretmem"

# In a table: there was no look; a look showed nothing.
NONE, NOTHING = "-", "nothing"

MOMENTS = ("loaded", "used", "released")

INSTALL = {
    "cryptography": "pip install cryptography",
    "PyNaCl": "pip install pynacl",
}

# The share of samples that a control must show the key in.
_SHARE = 0.95

# Seconds of looking for moments in the middle of operations, before it gives
# up.  On a busy machine the process hardly gets on between two stops.
_PATIENCE = 120

_LABEL, _CONTROL = "the key", "control"

FINE, FINDING, UNAVAILABLE = 0, 1, 69


@dataclass(frozen=True)
class Seen:
    """What one look showed of a key."""

    pieces: int
    """In memory."""
    size: int
    """Bytes of them."""
    registers: int
    """Pieces in registers."""
    forms: tuple[str, ...]
    places: tuple[str, ...]

    @property
    def text(self) -> str:
        """Say it in a cell of a table."""
        if not self.pieces and not self.registers:
            return NOTHING
        text = f"{self.pieces} ({self.size} B)" if self.pieces else ""
        registers = f"{self.registers} reg." if self.registers else ""
        return ", ".join(filter(None, (text, registers)))


@dataclass
class Samples:
    """Looks in the middle of operations."""

    taken: int = 0
    with_memory: int = 0
    """Samples with a piece in memory."""
    with_registers: int = 0
    """Samples with a piece in a register, which is where one computes."""

    @property
    def memory(self) -> str:
        """Say it in a cell of a table."""
        return f"{self.with_memory} of {self.taken}" if self.taken else NONE

    @property
    def registers(self) -> str:
        """Say it in a cell of a table."""
        return f"{self.with_registers} of {self.taken}" if self.taken else NONE


@dataclass
class Cell:
    """One operation by one library."""

    library: str
    operation: str
    version: str
    moments: dict[str, Seen] = field(default_factory=dict)
    samples: Samples = field(default_factory=Samples)
    missing: str = ""
    """Why there is nothing to see."""
    broken: str = ""
    """Why what was seen proves nothing."""

    def text(self, moment: str) -> str:
        """Say in a cell of a table what a moment showed."""
        return self.moments[moment].text if moment in self.moments else NONE

    @property
    def clean(self) -> bool:
        """Whether no look showed anything in memory or left in registers."""
        return not self.samples.with_memory and not any(
            seen.pieces or seen.registers for seen in self.moments.values()
        )

    @property
    def shows(self) -> bool:
        """Whether it does what is expected of a control."""
        held = (self.moments["loaded"], self.moments["used"])
        enough = self.samples.with_memory >= _SHARE * self.samples.taken
        return enough and all(seen.pieces for seen in held)


@dataclass(frozen=True)
class Residues:
    """All cells of a run."""

    cells: tuple[Cell, ...]
    uses: int
    seconds: float

    def rows(self, operation: str) -> Iterator[tuple[str, list[str]]]:
        """Give the lines of an operation: a title, a text for each library."""
        cells = [self.cell(library, operation) for library in LIBRARIES]
        titles = ("loaded", f"after {self.uses:,} uses", "after release")
        for moment, title in zip(MOMENTS, titles, strict=True):
            yield title, [cell.text(moment) for cell in cells]
        samples = [cell.samples for cell in cells]
        yield "in use: copies", [each.memory for each in samples]
        yield "in use: registers", [each.registers for each in samples]

    def cell(self, library: str, operation: str) -> Cell:
        """Give a cell."""
        return next(
            cell
            for cell in self.cells
            if (cell.library, cell.operation) == (library, operation)
        )

    def _bad(self) -> Iterator[str]:
        for cell in self.cells:
            name = f"{cell.operation} by {cell.library}"
            if cell.broken:
                yield f"{name}: {cell.broken}"
            elif not cell.missing and cell.library == OURS and not cell.clean:
                yield f"{name} left copies"
            elif not cell.missing and cell.library != OURS and not cell.shows:
                yield f"{name}, a control, did not show"

    @property
    def exit_code(self) -> int:
        """Return 1 if a Secret left copies or a control did not show."""
        return FINDING if list(self._bad()) else FINE

    @property
    def sentence(self) -> str:
        """Say what came out."""
        bad = list(self._bad())
        if bad:
            return "not as promised: " + "; ".join(bad)
        others = sorted(
            {c.library for c in self.cells if not c.missing} - {OURS}
        )
        shown = (
            f"; {' and '.join(others)} did"
            if others
            else ("; no other library is installed to compare with")
        )
        return f"secretmem left nothing in ordinary memory{shown}"

    def as_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that json can write."""
        return {
            "format": "secretmem-residues",
            "version": 1,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "sentence": self.sentence,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
            "uses": self.uses,
            "cells": [_as_dict(cell) for cell in self.cells],
        }


def _as_dict(cell: Cell) -> dict[str, Any]:
    return {
        "library": cell.library,
        "operation": cell.operation,
        "version": cell.version,
        "missing": cell.missing,
        "broken": cell.broken,
        "moments": {
            name: {**vars(seen)} for name, seen in cell.moments.items()
        },
        "samples": {**vars(cell.samples)},
    }


def residues(
    samples: int,
    uses: int = 1000,
    begin: Callable[[str], None] = lambda _: None,
) -> Residues:
    """
    Run every operation by every library.

    Args:
        samples: How many to take in the middle of each operation.
        uses: Of the key, between two looks.
        begin: Told what is under way.

    Raises:
        UnavailableError, LimitError: There is no secret memory for the keys.
        AuditError: No process can be looked into.
    """
    began = time.monotonic()
    cells = []
    for operation in OPERATIONS:
        for library in LIBRARIES:
            begin(f"{operation} by {library}")
            cells.append(_cell(library, operation, samples, uses))
    return Residues(tuple(cells), uses, time.monotonic() - began)


def _cell(library: str, operation: str, samples: int, uses: int) -> Cell:
    version = victim.version(library)
    cell = Cell(library, operation, version or "")
    if version is None:
        cell.missing = INSTALL[library]
    elif not victim.offers(library, operation):
        cell.missing = f"no {operation}"
    else:
        with _key(operation) as (kind, key):
            _run(cell, kind, key, samples, uses)
    return cell


@contextlib.contextmanager
def _key(operation: str) -> Iterator[tuple[str, Secret]]:
    """Make a fresh key."""
    if operation == RSA:
        made = _native.KeyBase.generate("rsa", 2048, inherit=None)
        with made.pkcs8(Secret) as encoded:
            made.close()
            yield "pkcs8", encoded
    else:
        with Secret.random(32) as key:
            yield "ed25519" if operation == ED25519 else "aes", key


def _run(cell: Cell, kind: str, key: Secret, samples: int, uses: int) -> None:
    """Let the victim live, and look."""
    with (
        Secret.random(victim.CONTROL) as control,
        Search(
            [Planted(_LABEL, kind, key), Planted(_CONTROL, "raw", control)]
        ) as search,
        _started(cell, control + key, uses) as child,
    ):
        for said in iter(lambda: _line(child), ""):
            if said == "in use":
                _sample(cell, child.pid, search, samples)
            else:
                report = audit_process(child.pid, search, hold=True)
                cell.moments[said] = _seen(cell, report)
            assert child.stdin is not None  # noqa: S101 - a pipe, as asked
            child.stdin.write(b"\n")
            child.stdin.flush()
        if child.wait() or set(cell.moments) != set(MOMENTS):
            cell.broken = f"the process ended with {child.returncode}"


@contextlib.contextmanager
def _started(
    cell: Cell, content: Secret, uses: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a victim, with the key in a pipe."""
    source, target = os.pipe()
    try:
        try:
            with content:
                content.write_to(target)
        finally:
            os.close(target)
        child = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "secretmem.prove.residue_victim",
                ),
                *(cell.library, cell.operation, str(uses), str(source)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[source],
        )
    finally:
        os.close(source)
    with child:
        try:
            yield child
        finally:
            child.kill()


def _line(child: subprocess.Popen[bytes]) -> str:
    assert child.stdout is not None  # noqa: S101 - a pipe, as asked
    return child.stdout.readline().decode().strip()


def _seen(cell: Cell, report: Report) -> Seen:
    """Sort what a look showed; it must show the control."""
    if not any(f.key == _CONTROL for f in report.findings):
        cell.broken = "a look did not show what the process holds openly"
    elif not report.complete:
        cell.broken = f"a look was not complete: {'; '.join(report.gaps)}"
    found = [f for f in report.findings if f.key == _LABEL]
    memory = [f for f in found if f.kind != "registers"]
    return Seen(
        len(memory),
        sum(f.size for f in memory),
        len(found) - len(memory),
        tuple(sorted({f.form for f in found})),
        tuple(sorted({f.kind for f in found})),
    )


def _sample(cell: Cell, pid: int, search: Search, wanted: int) -> None:
    """
    Stop the process at random moments and look.

    Of secretmem those moments count in which the thread is on another stack
    than its own: in the middle of an operation.  The others compute nearly
    all the time, and hold the key all the time.
    """
    samples = cell.samples
    end = time.monotonic() + _PATIENCE
    while samples.taken < wanted and time.monotonic() < end:
        time.sleep(random.uniform(0, 0.002))  # noqa: S311 - moments
        report = sample_process(pid, search, inside=cell.library == OURS)
        if report is None:
            continue
        samples.taken += 1
        seen = _seen(cell, report)
        samples.with_memory += bool(seen.pieces)
        samples.with_registers += bool(seen.registers)
    if samples.taken < wanted:
        cell.broken = f"only {samples.taken} stops were in an operation"
