"""Targets for audits, and keys for them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem.audit import Planted, Search


if TYPE_CHECKING:
    from collections.abc import Iterator


HOLDER = Path(__file__).with_name("holder.py")


@contextlib.contextmanager
def holding(content: bytes) -> Iterator[int]:
    """Start a process that holds these bytes; give its id."""
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(HOLDER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(b"%d\n" % len(content) + content)
        child.stdin.flush()
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
    finally:
        child.stdin.close()
        child.stdout.close()
        child.wait(30)


@contextlib.contextmanager
def search_for(kind: str, key: bytes, label: str = "key") -> Iterator[Search]:
    """Make a search for one key."""
    with (
        Secret.from_bytes(key) as secret,
        Search([Planted(label, kind, secret)]) as search,
    ):
        yield search
