"""
The residue audit: is a key, or what is made of it, in memory that is not
secret?

`Search` holds the keys with all their forms in secret memory; `process` and
`core` look with it and give a `Report`, which says where and how much, never
what.
"""  # noqa: D205 - a question needs two lines

from __future__ import annotations

from secretmem.audit.core import audit_core
from secretmem.audit.errors import AuditError
from secretmem.audit.planted import Planted
from secretmem.audit.process import audit_process, sample_process
from secretmem.audit.report import Finding, Report
from secretmem.audit.search import Search


__all__ = (
    "AuditError",
    "Finding",
    "Planted",
    "Report",
    "Search",
    "audit_core",
    "audit_process",
    "sample_process",
)
