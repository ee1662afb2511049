"""
Crash hygiene: exported copies, out of logs, tracebacks and error reports.

A Secret shows itself nowhere: what reports print of it is its ``repr``.
Copies of it that were exported, because a library wants a ``str``, are
ordinary objects, and every tool that prints the variables of a function
prints them.  A `Redactor` knows some Secrets and takes pieces of them out of
texts, values, exceptions and log records, however those are written: plain,
in base64, in hexadecimal digits, in the ``repr`` of bytes.
"""

from __future__ import annotations

from secretmem.redact._logging import RedactingFilter
from secretmem.redact._redactor import RedactingStream, Redactor


__all__ = ("RedactingFilter", "RedactingStream", "Redactor")
