"""
Boot Debian kernels and check the whole table: ``python3 -m lab``.

Exit status: 0 every row is as expected; 1 a row differs, its control failed,
or it had nothing to look at; 2 usage; 69 a kernel or a tool that is needed is
not there.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from typing import TYPE_CHECKING

from lab import kernels, plan, table
from lab.apt import LabError


if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.rows import Row


DIFFERS = 1
UNAVAILABLE = 69


class Run:
    """One pass over the plan: what was seen, and what could not be run."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: list[Row] = []
        self.missing: list[str] = []
        self.incomplete = False
        self._regimes: set[bool] = set()

    def step(self, step: plan.Step) -> None:
        """Run one check on all its kernels, one guest after the other."""
        for name in step.kernels:
            try:
                kernel = kernels.get(name)
            except LabError as error:
                self._skip(f"{step.name} on {name}: {error}")
                self.incomplete |= plan.required(name)
                continue
            if kernel.has_call:
                self._regimes.add(kernel.per_user)
            began = time.monotonic()
            for row in step.check(kernel):
                self.rows.append(row)
                print(table.line(row), flush=True)
            took = time.monotonic() - began
            print(f"  {step.name}, {name}: {took:.0f} s", file=sys.stderr)

    def need_both_regimes(self) -> None:
        """Say so if the archive has kernels of one kind of accounting only."""
        if len(self._regimes) == 1:
            other = "per process" if True in self._regimes else "per user"
            self._skip(f"no kernel on offer charges locked memory {other}")
            self.incomplete = True

    def _skip(self, text: str) -> None:
        self.missing.append(text)
        print(f"not run: {text}", file=sys.stderr)

    def status(self) -> int:
        """Return the exit status."""
        if not all(row.fine for row in self.rows):
            return DIFFERS
        return UNAVAILABLE if self.incomplete or not self.rows else 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m lab",
        description="Boot Debian kernels and check the whole table.",
    )
    parser.add_argument(
        "--short",
        action="store_true",
        help="two small kernels, about two minutes",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=[step.name for step in plan.FULL],
        help="this check alone; may be repeated",
    )
    parser.add_argument(
        "--kernel",
        action="append",
        metavar="SERIES[-oldest][-cloud]",
        help="this kernel in place of the planned ones; may be repeated",
    )
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument(
        "--record",
        type=pathlib.Path,
        metavar="PAGE",
        help="put the table into this page of the documentation",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the laboratory and return its exit status."""
    options = _arguments(argv)
    run = Run()
    try:
        for step in plan.SHORT if options.short else plan.FULL:
            if options.only and step.name not in options.only:
                continue
            chosen = tuple(options.kernel or step.kernels)
            run.step(step._replace(kernels=chosen))
        if not options.kernel and not options.only:
            run.need_both_regimes()
        if options.json:
            table.write_json(run.rows, run.missing, options.json)
        if options.record:
            table.record(run.rows, run.missing, options.record)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return UNAVAILABLE
    print(table.summary(run.rows), f"{len(run.missing)} not run.")
    return run.status()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
