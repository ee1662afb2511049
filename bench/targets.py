"""What secretmem has to reach, and whether it did here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench import imports
from bench.footprint import LIMITS
from bench.workers import NO_KEYS, SODIUM


if TYPE_CHECKING:
    from bench.report import Report

# A secret made and closed, against sodium_malloc and sodium_free.
FASTER = 30
LOCKED_EACH = 64
LIVE = {LIMITS[0]: 100_000, LIMITS[1]: 500}
REVEAL_NS = {"pku": 2_000, "mprotect": 10_000}
IMPORT_MS = 5
_GATES = {"pku": "protection key", "mprotect": "mprotect"}


class Target(NamedTuple):
    """``reached`` is None where this machine cannot tell; then ``why``."""

    name: str
    wanted: str
    measured: str
    reached: bool | None
    why: str = ""


def judge(report: Report) -> list[Target]:
    """Compare what was measured with each target."""
    return [
        _faster(report),
        *(_reveal(report, gate) for gate in REVEAL_NS),
        _locked(report),
        *(_live(report, limit) for limit in LIMITS),
        _import(report),
    ]


def _faster(report: Report) -> Target:
    name = "create and close, protection key"
    wanted = f">= {FASTER} x libsodium"
    if report.time("create_close", SODIUM) is None:
        return Target(name, wanted, "", None, report.why_not(SODIUM))
    ratio = report.ratio("create_close", "pku")
    if ratio is None:
        bare = report.ratio("create_close", "no_gate")
        why = NO_KEYS
        if bare is not None:
            why += f"; with the gate left out {bare:.0f} x"
        return Target(name, wanted, "", None, why)
    return Target(name, wanted, f"{ratio:.0f} x", ratio >= FASTER)


def _reveal(report: Report, gate: str) -> Target:
    name = f"reveal and release, {_GATES[gate]}"
    wanted = f"< {REVEAL_NS[gate] / 1000:.0f} us"
    time = report.time("reveal", gate)
    if time is None:
        return Target(name, wanted, "", None, report.why_not(gate))
    measured = f"{time.best / 1000:.2f} us"
    return Target(name, wanted, measured, time.best < REVEAL_NS[gate])


def _locked(report: Report) -> Target:
    each = max(f.locked_each for f in report.footprints if f.key in REVEAL_NS)
    return Target(
        "locked bytes of each further secret",
        f"<= {LOCKED_EACH}",
        f"{each:.1f}",
        each <= LOCKED_EACH,
    )


def _live(report: Report, limit: int) -> Target:
    name = f"live secrets under {limit >> 10} KiB"
    wanted = f"> {LIVE[limit]:,}"
    counts = [
        each.live
        for each in report.lives
        if each.limit == limit and each.key in REVEAL_NS
    ]
    if not counts:
        why = "RLIMIT_MEMLOCK is lower, and cannot be raised"
        return Target(name, wanted, "", None, why)
    fewest = min(counts)
    return Target(name, wanted, f"{fewest:,}", fewest > LIVE[limit])


def _import(report: Report) -> Target:
    (took,) = (
        each.best
        for each in report.imports
        if each.statement == imports.SECRET
    )
    return Target(
        imports.SECRET,
        f"< {IMPORT_MS} ms",
        f"{took:.2f} ms",
        took < IMPORT_MS,
    )
