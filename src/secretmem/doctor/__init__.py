"""
``secretmem doctor``: what this machine does with secret memory, and why.

Layout, each group of checks in a file of its own::

    finding.py      one answer: what, evidence, consequence, remedy
    release.py      which upstream version a kernel stands for
    advisories.py   known kernel bugs, as data
    probe.py        memfd_secret(2) tried in a child, since a filter may kill
    system.py       the system: files below a root, and a few live facts
    kernel.py       the call, configuration, switch, architecture
    bugs.py         the running kernel against the table
    confinement.py  gVisor, container, seccomp, security module
    unit.py         the filter of the systemd unit
    limits.py       RLIMIT_MEMLOCK
    exposure.py     protection keys, dumpable, ptrace, perf
    machine.py      swap, hibernation, crash kernel, core files
    library.py      the cryptographic library inside
    checkup.py      all of the checks, in order
    report.py       text and JSON

Checks read a :class:`System` and change nothing.
"""

from __future__ import annotations

from secretmem.doctor.checkup import examine
from secretmem.doctor.finding import Finding, Status, worst
from secretmem.doctor.probe import Outcome
from secretmem.doctor.system import System


__all__ = ["Finding", "Outcome", "Status", "System", "examine", "worst"]
