"""
Time per operation, all configurations in turn.

A figure of one moment on a shared machine is worth little.  So each round
asks every configuration once for a short time, and there are many rounds:
what slows the machine for a while slows all of them, the best round is near
the undisturbed cost, and the median says how far from it the rest was.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.workers import Worker


if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.workers import Configuration

MILLISECOND = 1_000_000


class Case(NamedTuple):
    """An operation in a setting."""

    operation: str
    threads: int = 1
    busy: bool = False


TITLES = {
    "create_close": "create and close",
    "random_close": "create from random, close",
    "reveal": "reveal and release",
    "compare": "compare two secrets",
    "matches": "compare with bytes",
    "slice_close": "slice of 4 bytes, close",
}
CASES = (
    *(Case(operation) for operation in TITLES),
    Case("create_close", busy=True),
    Case("reveal", busy=True),
    Case("compare", busy=True),
    Case("create_close", threads=2),
)


class Effort(NamedTuple):
    """How many rounds, and how long each is, in ns."""

    rounds: int
    window: int
    # Threads of one interpreter take turns of 5 ms, so a round of them has
    # to hold many turns.
    rounds_together: int
    window_together: int


FULL = Effort(25, 6 * MILLISECOND, 9, 60 * MILLISECOND)
QUICK = Effort(5, 2 * MILLISECOND, 3, 20 * MILLISECOND)


class Time(NamedTuple):
    """Nanoseconds per operation of one configuration in one case."""

    case: Case
    key: str
    samples: tuple[float, ...]

    @property
    def best(self) -> float:
        """The fastest round."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The round in the middle."""
        return median(self.samples)

    def as_dict(self) -> dict[str, Any]:
        """Give it to programs."""
        return {
            **self.case._asdict(),
            "who": self.key,
            "best_ns": self.best,
            "median_ns": self.median,
            "samples_ns": self.samples,
        }


def measure(
    found: Sequence[Configuration],
    effort: Effort,
    cases: Sequence[Case] = CASES,
) -> tuple[list[Time], dict[str, str]]:
    """Time every case; also what each configuration said it is."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(each))
            for each in found
            if not each.why_not
        ]
        times = [
            time for case in cases for time in _rounds(case, workers, effort)
        ]
        return times, {w.configuration.key: w.version for w in workers}


def _rounds(
    case: Case, workers: Sequence[Worker], effort: Effort
) -> list[Time]:
    together = case.busy or case.threads > 1
    rounds = effort.rounds_together if together else effort.rounds
    window = effort.window_together if together else effort.window
    counts = {worker: _calibrate(case, worker, window) for worker in workers}
    able = [worker for worker in workers if counts[worker]]
    samples: dict[Worker, list[float]] = {worker: [] for worker in able}
    for _ in range(rounds):
        for worker in able:
            took = _ask(case, worker, counts[worker])
            assert took is not None
            each = took / (counts[worker] * case.threads)
            samples[worker].append(each)
    return [
        Time(case, worker.configuration.key, tuple(samples[worker]))
        for worker in able
    ]


def _ask(case: Case, worker: Worker, count: int) -> int | None:
    return worker.time(case.operation, count, case.threads, busy=case.busy)


def _calibrate(case: Case, worker: Worker, window: int) -> int:
    """Find how often the operation fits the window; 0: there is none."""
    count = 1
    while True:
        took = _ask(case, worker, count)
        if took is None:
            return 0
        if took > window // 4:
            return max(1, count * window // took)
        count *= 4
