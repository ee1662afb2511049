"""What the cryptography has to reach, and whether it did here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.crypto import PLAIN, PYCA, PYNACL, SHORT, TITLES, TOGETHER
from bench.signer import LEAST
from bench.targets import Target
from bench.timing import Case
from bench.workers import NO_KEYS


if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.crypto import Report

ENTRY_NS = 1000
SLOWER = 2.0
SCALING = 1.7
# Which operation, beside whom, and the least share of his rate.
RATES = (
    ("ed25519_sign", PYCA, 3.0),
    ("ed25519_sign", PYNACL, 1.0),
    ("p256_sign", PYCA, 1.0),
    ("rsa2048_sign", PYCA, 0.9),
    ("rsa3072_sign", PYCA, 0.9),
    ("aes256gcm_1m", PLAIN, 0.9),
    ("aes256gcm_open_1m", PLAIN, 0.9),
    ("aes256gcm_64", PYCA, 1.0),
)
GATES = {"pku": "key", "mprotect": "mprotect"}
NAMES = {PYCA: "pyca", PYNACL: "PyNaCl", PLAIN: "AWS-LC"}


def judge(report: Report) -> list[Target]:
    """Compare what was measured with each target, for each gate."""
    return [
        _entry(report),
        *(
            target
            for gate in GATES
            for target in (
                *(_rate(report, gate, *each) for each in RATES),
                *(_beside(report, gate, each) for each in SHORT),
                *(_scaling(report, gate, each) for each in TOGETHER),
            )
        ),
        *_signs(report),
    ]


def _entry(report: Report) -> Target:
    name, wanted = "into the domain and out", f"< {ENTRY_NS / 1000:.0f} us"
    if report.entry is None:
        return Target(name, wanted, "", None, report.why_not(PLAIN))
    measured = f"{report.entry / 1000:.2f} us"
    return Target(name, wanted, measured, report.entry < ENTRY_NS)


def _rate(
    report: Report, gate: str, operation: str, other: str, least: float
) -> Target:
    name = f"{_name(operation)}, {GATES[gate]}"
    wanted = f">= {least:g} x {NAMES[other]}"
    case = Case(operation)
    ratio = report.rate(case, gate, other)
    if ratio is None:
        why = _why(report, gate, other)
        bare = report.rate(case, "no_gate", other)
        if bare is not None:
            why += f"; with the gate left out {bare:.2f} x"
        return Target(name, wanted, "", None, why)
    return Target(name, wanted, f"{ratio:.2f} x", ratio >= least)


def _name(operation: str) -> str:
    """Shorten a title; of the long messages it keeps the size."""
    short = TITLES[operation].split(",")[0]
    return f"{short}, 1 MiB" if operation.endswith("_1m") else short


def _why(report: Report, gate: str, other: str) -> str:
    return report.why_not(gate) or report.why_not(other) or NO_KEYS


def _beside(report: Report, gate: str, operation: str) -> Target:
    name = f"{_name(operation)}, busy, {GATES[gate]}"
    wanted = f"<= {SLOWER:g} x alone"
    alone = report.time(Case(operation), gate)
    busy = report.time(Case(operation, busy=True), gate)
    if alone is None or busy is None:
        return Target(name, wanted, "", None, report.why_not(gate))
    ratio = busy.best / alone.best
    why = _meanwhile(report, Case(operation, busy=True), PYCA, slower=True)
    return Target(name, wanted, f"{ratio:.2f} x", ratio <= SLOWER, why)


def _scaling(report: Report, gate: str, operation: str) -> Target:
    name = f"{_name(operation)} by two, {GATES[gate]}"
    wanted = f">= {SCALING:g} x one"
    alone = report.time(Case(operation), gate)
    two = report.time(Case(operation, threads=2), gate)
    if alone is None or two is None:
        return Target(name, wanted, "", None, report.why_not(gate))
    gain = alone.best / two.best
    why = _meanwhile(report, Case(operation, threads=2), PLAIN, slower=False)
    return Target(name, wanted, f"{gain:.2f} x", gain >= SCALING, why)


def _meanwhile(report: Report, case: Case, who: str, *, slower: bool) -> str:
    """Say what another one got: the machine has other work to do too."""
    alone = report.time(Case(case.operation), who)
    other = report.time(case, who)
    if alone is None or other is None:
        return ""
    ratio = alone.best / other.best
    return f"{NAMES[who]} meanwhile {1 / ratio if slower else ratio:.2f} x"


def _signs(report: Report) -> Iterator[Target]:
    """Give the rows of the limit; the run ends if nothing was signed."""
    for each in report.locked:
        if each.limit == LEAST:
            name = f"Ed25519 loads and signs, {GATES[each.key]}"
            wanted = f"<= {LEAST >> 10} KiB"
            measured = f"{each.first_signature >> 10} KiB"
            reached = each.first_signature <= LEAST
            yield Target(name, wanted, measured, reached)
