"""
How fast ``secretmem audit`` searches a process with much memory.

``python -m bench.audits [--quick] [--json FILE]``.

The target holds random bytes.  What is timed is the whole audit: maps,
registers, reading, searching.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from secretmem import Secret, _native
from secretmem.audit import Planted, Search, audit_process


if TYPE_CHECKING:
    from collections.abc import Iterator


_MIB = 1 << 20
_SIZES = {True: 128, False: 1024}
_ROUNDS = {True: 1, False: 3}

_TARGET = """
import os, sys
held = bytearray()
for _ in range(int(sys.argv[1])):
    held += os.urandom(1 << 20)
print("ready", flush=True)
sys.stdin.read()
"""


class Audit(NamedTuple):
    """The best of some rounds."""

    key: str
    forms: int
    mib: float
    """Searched."""
    seconds: float
    processor: float
    """Seconds of processor time, which other programs do not change."""
    stopped: float
    """Milliseconds for which the thread was stopped."""


def measure(*, quick: bool) -> list[Audit]:
    """Time audits for a key of 32 bytes, and for an RSA key."""
    with _target(_SIZES[quick]) as pid:
        return [
            _best(pid, name, search, _ROUNDS[quick])
            for name, search in _searches()
        ]


def lines(audits: list[Audit]) -> Iterator[str]:
    """Write a table."""
    yield ""
    yield "AUDIT: a process is searched for a key, the best of some rounds"
    yield ""
    heads = f"{'forms':>8}{'MiB':>10}{'s':>8}{'CPU s':>8}{'stop, ms':>10}"
    yield f"  {'key':<12}{heads}"
    for each in audits:
        yield (
            f"  {each.key:<12}{each.forms:>8}{each.mib:>10.0f}"
            f"{each.seconds:>8.2f}{each.processor:>8.2f}"
            f"{each.stopped:>10.2f}"
        )


def _searches() -> Iterator[tuple[str, Search]]:
    with Secret.random(32) as key, Search([Planted("", "aes", key)]) as made:
        yield "AES-256", made
    rsa = _native.KeyBase.generate("rsa", 2048, inherit=None)
    with (
        rsa.pkcs8(Secret) as key,
        Search([Planted("", "pkcs8", key)]) as made,
    ):
        rsa.close()
        yield "RSA-2048", made


def _best(pid: int, name: str, search: Search, rounds: int) -> Audit:
    measured = []
    for _ in range(rounds):
        began = time.process_time()
        report = audit_process(pid, search)
        assert report.clean
        assert report.complete
        measured.append((time.process_time() - began, report))
    report = min((r for _, r in measured), key=lambda r: r.seconds)
    return Audit(
        name,
        len(search.forms),
        report.searched / _MIB,
        report.seconds,
        min(processor for processor, _ in measured),
        report.stopped * 1000,
    )


@contextlib.contextmanager
def _target(mib: int) -> Iterator[int]:
    command = [sys.executable, "-I", "-c", _TARGET, str(mib)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield child.pid
        child.communicate()


def main() -> int:
    """Measure, print, and write the JSON file if one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.audits")
    parser.add_argument(
        "--quick", action="store_true", help="less memory; rough times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    audits = measure(quick=arguments.quick)
    for line in lines(audits):
        print(line)
    if arguments.json:
        content = {"audits": [each._asdict() for each in audits]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
