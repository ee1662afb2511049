"""
Whole files and forms of keys: secretmem beside age and cryptography.

``python -m bench.files [--quick] [--json FILE]``.

Each program that encrypts or decrypts a file is a process of its own, so
that its memory can be told: the peak of what it had resident, start and
libraries included (a program that needs less than this one shows what this
one has, see getrusage(2)).  The rows of one part take turns, and the best
counts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import key_forms


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.key_forms import Load

_MIB = 1 << 20
_SIZES = {True: 32, False: 1024}
_ROUNDS = {True: 1, False: 3}
_WIDE = 34
_ME = (sys.executable, "-m", "bench.stream")
NO_AGE = "not installed (apt-get: age)"


class Row(NamedTuple):
    """A program and the file that it reads, or why it is not here."""

    label: str
    command: tuple[str, ...] = ()
    source: str = "plain"
    why_not: str = ""


class Run(NamedTuple):
    """The best of some rounds; ``peak`` is in MiB."""

    label: str
    mib: int
    seconds: float
    processor: float
    peak: float


class Report(NamedTuple):
    """What one run measured."""

    mib: int
    runs: list[Run]
    absent: dict[str, str]
    loads: list[Load]


def measure(*, quick: bool) -> Report:
    """Time files, then keys."""
    mib = _SIZES[quick]
    with tempfile.TemporaryDirectory(prefix="secretmem-bench-") as folder:
        rows = _prepare(Path(folder), mib)
        able = [row for row in rows if not row.why_not]
        rounds = [
            [_run(row, Path(folder), mib) for row in able]
            for _ in range(_ROUNDS[quick])
        ]
    runs = [min(each, key=_processor) for each in zip(*rounds, strict=True)]
    absent = {row.label: row.why_not for row in rows if row.why_not}
    return Report(mib, runs, absent, key_forms.measure(quick=quick))


def _processor(run: Run) -> float:
    return run.processor


def _prepare(folder: Path, mib: int) -> list[Row]:
    """Write the files; say who encrypts and who decrypts."""
    with (folder / "plain").open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(_MIB))
    key = folder / "key.txt"
    ours = (str(Path(sys.executable).with_name("secretmem")),)
    made = [*ours, "keygen", "-o", str(key)]
    subprocess.run(made, check=True, stderr=subprocess.DEVNULL)
    shown = [*ours, "keygen", "-y", str(key)]
    recipient = subprocess.check_output(shown, text=True).strip()
    rows = [
        Row("secretmem, stream, encrypt", (*_ME, "encrypt")),
        Row("cryptography, AES-GCM, encrypt", (*_ME, "pyca-encrypt")),
        Row("secretmem, stream, decrypt", (*_ME, "decrypt"), "stream"),
        Row("secretmem seal -r", (*ours, "seal", "-r", recipient)),
        _age("age -r", ("-r", recipient)),
        Row("secretmem open -i", (*ours, "open", "-i", str(key)), "age"),
        _age("age -d -i", ("-d", "-i", str(key)), "age"),
    ]
    _fill(rows[0], folder, "stream")
    _fill(rows[3], folder, "age")
    return rows


def _age(label: str, arguments: tuple[str, ...], source: str = "plain") -> Row:
    program = shutil.which("age")
    if program is None:
        return Row(label, why_not=NO_AGE)
    return Row(label, (program, *arguments), source)


def _fill(row: Row, folder: Path, name: str) -> None:
    """Let a program write the file that another one reads."""
    with (folder / row.source).open() as given, (folder / name).open("w") as t:
        subprocess.run(row.command, check=True, stdin=given, stdout=t)


def _run(row: Row, folder: Path, mib: int) -> Run:
    """Run a program from a file to nowhere."""
    began = time.perf_counter()
    quiet = os.open(os.devnull, os.O_WRONLY)
    given = os.open(folder / row.source, os.O_RDONLY)
    try:
        pid = os.posix_spawn(
            row.command[0],
            row.command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, given, 0),
                (os.POSIX_SPAWN_DUP2, quiet, 1),
            ],
        )
        _, status, usage = os.wait4(pid, 0)
    finally:
        os.close(given)
        os.close(quiet)
    if status:
        raise RuntimeError(f"{row.label} ended with status {status}")
    return Run(
        row.label,
        mib,
        time.perf_counter() - began,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / 1024,
    )


def lines(report: Report) -> Iterator[str]:
    """Give the tables line by line."""
    yield ""
    yield f"FILES of {report.mib} MiB, in the page cache, to /dev/null"
    yield "Peak: the most that was resident, start and libraries included."
    yield ""
    heads = ("s", "CPU s", "MiB/CPU s", "peak, MiB")
    yield f"{'':{_WIDE}}" + "".join(f"{head:>11}" for head in heads)
    for run in report.runs:
        rate = run.mib / run.processor
        yield (
            f"  {run.label:<{_WIDE - 2}}{run.seconds:>11.2f}"
            f"{run.processor:>11.2f}{rate:>11.0f}{run.peak:>11.1f}"
        )
    for label, why in report.absent.items():
        yield f"  {label:<{_WIDE - 2}}  {why}"
    yield "  age's ciphers are ChaCha20-Poly1305, the stream's AES-256-GCM."
    yield from key_forms.lines(report.loads)


def as_json(report: Report) -> dict[str, object]:
    """Give the same to programs."""
    return {
        "files": [each._asdict() for each in report.runs],
        "absent": report.absent,
        "loads": [each._asdict() for each in report.loads],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the JSON file if one is wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.files")
    parser.add_argument(
        "--quick", action="store_true", help="smaller files; rough times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    report = measure(quick=given.quick)
    for line in lines(report):
        print(line)
    if given.json:
        text = json.dumps(as_json(report), indent=1)
        given.json.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
