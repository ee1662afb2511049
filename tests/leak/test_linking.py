"""
The extension's calls are bound when it is loaded, not at their first use.

The dynamic linker's trampoline for lazy binding saves the vector registers on
the stack in use, and does so at a call's first use, whichever that is.
"""

from __future__ import annotations

import re
import subprocess

import pytest

from secretmem import _native


pytestmark = pytest.mark.needs_tool("readelf")


def _dynamic() -> str:
    return subprocess.run(
        ["readelf", "--dynamic", "--wide", _native.__file__],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout


def test_calls_are_bound_at_load() -> None:
    """DT_FLAGS has BIND_NOW or DT_FLAGS_1 has NOW (linked with -z now)."""
    assert re.search(
        r"\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b", _dynamic()
    )
