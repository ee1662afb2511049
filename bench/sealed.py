"""
Many values: a SealedStore, a plain dict, and memguard's Enclave.

``python -m bench.sealed [--quick] [--json FILE]``.

A store is filled under a RLIMIT_MEMLOCK of 64 KiB, by a user without
privileges, and a dict beside it, each in a process of its own.  memguard
(github.com/awnumar/memguard, b28f395) is written in Go, and is not built here:
its figures are quoted from a run with Go 1.19.8 on a machine of the same kind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.timing import MILLISECOND
from bench.workers import ROOT


if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTS = {True: 20_000, False: 1_000_000}
_WIDE = 34
_SECOND = 1000 * MILLISECOND


class Filled(NamedTuple):
    """Times of one value in ns, of all values in s; memory in bytes."""

    key: str
    values: int
    put: float
    put_median: float
    get: float
    get_median: float
    each: float
    """Of resident memory, of one value; its name is not counted."""
    locked: int
    save: float | None = None
    load: float | None = None
    rekey: float | None = None
    file: float | None = None
    """Of one value in a file, with its name."""


# NewEnclave; Open and Destroy; resident bytes at 100,000 of them.
ENCLAVE = Filled(
    key="memguard Enclave, quoted",
    values=100_000,
    put=51_000,
    put_median=51_000,
    get=124_454,
    get_median=124_454,
    each=207,
    locked=12_288,
)


def measure(*, quick: bool) -> list[Filled]:
    """Fill a store and a dict."""
    return [_filled(kind, _COUNTS[quick]) for kind in ("store", "dict")]


def _filled(kind: str, count: int) -> Filled:
    answer = subprocess.check_output(
        [sys.executable, "-m", "bench.sealed_child", kind, str(count)],
        cwd=ROOT,
        text=True,
    )
    return Filled(**json.loads(answer))


def lines(filled: list[Filled]) -> Iterator[str]:
    """Write a table."""
    yield ""
    yield "SEALED VALUES of 32 bytes, by name: best and median of one"
    yield ""
    heads = ("values", "put", "", "get", "", "bytes", "locked")
    row = "".join(f"{head:>9}" for head in heads[:1])
    yield f"{'':<26}{row}" + "".join(f"{head:>7}" for head in heads[1:])
    for each in (*filled, ENCLAVE):
        times = (each.put, each.put_median, each.get, each.get_median)
        shown = "".join(f"{_us(time):>7}" for time in times)
        yield (
            f"  {each.key:<24}{each.values:>9}{shown}{each.each:>7.0f}"
            f"{each.locked:>7}"
        )
    yield "  Times in us; bytes are resident, of a value without its name."
    for each in filled:
        if each.save is not None:
            yield (
                f"  All {each.values}: save {each.save:.2f} s, load "
                f"{each.load:.2f} s, new key {each.rekey:.2f} s"
            )
            yield f"  and {each.file:.0f} bytes of each in the file."


def _us(nanoseconds: float) -> str:
    return f"{nanoseconds / 1000:.2f}"


def main() -> int:
    """Measure, print, and write the JSON file if one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.sealed")
    parser.add_argument(
        "--quick", action="store_true", help="fewer values; rough times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    filled = measure(quick=arguments.quick)
    for line in lines(filled):
        print(line)
    if arguments.json:
        content = {"sealed": [each._asdict() for each in filled]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
