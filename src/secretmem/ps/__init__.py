"""
``secretmem ps``: who holds secret memory on this machine.

Layout::

    proc.py     reading of /proc, below a root
    census.py   the holders, and what could not be seen
    machine.py  hibernation and the direct map
    report.py   text and JSON

A process holds secret memory by a mapping or by a descriptor alone: either
keeps the pages, and the refusal of hibernation, alive.
"""

from __future__ import annotations

from secretmem.ps.census import Census, Process
from secretmem.ps.machine import DirectMap, Hibernation
from secretmem.ps.proc import Proc
from secretmem.ps.report import Report, look


__all__ = [
    "Census",
    "DirectMap",
    "Hibernation",
    "Proc",
    "Process",
    "Report",
    "look",
]
