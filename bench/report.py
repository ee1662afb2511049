"""All that one run measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bench import calls, footprint, imports, machine, timing
from bench.timing import FULL, QUICK
from bench.workers import SODIUM, configurations


if TYPE_CHECKING:
    from bench.calls import Calls
    from bench.footprint import Footprint, Live
    from bench.imports import Import
    from bench.timing import Case, Time
    from bench.workers import Configuration

_STARTS = {True: 5, False: 20}


class Report(NamedTuple):
    """The figures, and on what they were measured."""

    machine: dict[str, Any]
    configurations: list[Configuration]
    effort: timing.Effort
    times: list[Time]
    calls: list[Calls]
    no_calls: str
    footprints: list[Footprint]
    lives: list[Live]
    imports: list[Import]

    def label(self, key: str) -> str:
        """Name a configuration for people."""
        return next(c.label for c in self.configurations if c.key == key)

    def why_not(self, key: str) -> str:
        """Say why a configuration was not measured."""
        return next(c.why_not for c in self.configurations if c.key == key)

    def of(self, case: Case) -> list[Time]:
        """Give the times of one case."""
        return [time for time in self.times if time.case == case]

    def time(self, operation: str, key: str) -> Time | None:
        """Give the time of an operation alone in one thread."""
        alone = timing.Case(operation)
        found = (t for t in self.times if t.key == key and t.case == alone)
        return next(found, None)

    def ratio(self, operation: str, key: str) -> float | None:
        """Tell how many times faster than libsodium it is, at the best."""
        ours, theirs = self.time(operation, key), self.time(operation, SODIUM)
        if ours is None or theirs is None:
            return None
        return theirs.best / ours.best


def measure(*, quick: bool) -> Report:
    """Do everything; a quick run is for trying out, its times are rough."""
    found = configurations()
    effort = QUICK if quick else FULL
    times, versions = timing.measure(found, effort)
    counted, no_calls = calls.measure(found)
    return Report(
        machine=machine.facts(found, versions),
        configurations=found,
        effort=effort,
        times=times,
        calls=counted,
        no_calls=no_calls,
        footprints=footprint.footprints(found),
        lives=footprint.lives(found),
        imports=imports.measure(_STARTS[quick]),
    )
