"""Print the cryptography's report for people, and give it to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.crypto import CASES, PLAIN, PYCA, PYNACL, TITLES
from bench.crypto_targets import judge
from bench.table import duration, hanging, of_targets


if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.crypto import Report
    from bench.timing import Case

_WIDE = 36


def lines(report: Report) -> Iterator[str]:
    """Give the table line by line."""
    yield ""
    yield "CRYPTOGRAPHY: best and median of a call, all in turn, and the rate"
    yield "as a multiple of plain AWS-LC's and of cryptography's. AWS-LC is"
    yield "called from Rust, with keys and stacks in ordinary memory; the"
    yield "others are called from Python. Keys are made when their rows begin:"
    yield "without protection keys the gate costs more for each page of the"
    yield "secret heap, which RSA keys and those on curves share."
    yield ""
    for key in (PYCA, PYNACL, PLAIN):
        yield f"{key:9} {report.versions.get(key, report.why_not(key))}"
    for case in CASES:
        yield from _case(report, case)
    yield from _calls(report)
    yield from _locked(report)
    yield from of_targets(judge(report))


def _case(report: Report, case: Case) -> Iterator[str]:
    title = TITLES[case.operation]
    if case.busy:
        title += ", busy thread"
    if case.threads > 1:
        title += f", {case.threads} threads"
    yield ""
    heads = ("best", "median", "x AWS-LC", "x pyca")
    yield f"{title:<{_WIDE}}" + "".join(f"{head:>10}" for head in heads)
    for each in report.configurations:
        time = report.time(case, each.key)
        if time is None:
            yield f"  {each.label:<{_WIDE - 2}}  {each.why_not or 'has none'}"
            continue
        times = f"{duration(time.best):>10}{duration(time.median):>10}"
        rates = (report.rate(case, each.key, who) for who in (PLAIN, PYCA))
        shown = "".join(f"{_rate(rate):>10}" for rate in rates)
        yield f"  {each.label:<{_WIDE - 2}}{times}{shown}"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2f}"


def _calls(report: Report) -> Iterator[str]:
    yield ""
    yield "SYSTEM CALLS PER CALL (strace)"
    if report.no_calls:
        yield f"  not counted: {report.no_calls}"
    for each in report.calls:
        counts = [f"{n:.3g} {name}" for name, n in each.counts.items()]
        label = f"  {TITLES[each.operation]:<{_WIDE - 4}}{each.key:>9}  "
        yield from hanging(label, ", ".join(counts) or "none")


def _locked(report: Report) -> Iterator[str]:
    yield ""
    yield "LOCKED BYTES of a program that loads an Ed25519 key and signs"
    heads = ("secret", "signature", "thread", "worker")
    yield f"{'':<{_WIDE}}" + "".join(f"{head:>10}" for head in heads)
    for each in report.locked:
        label = f"  {each.key}, limit {each.limit >> 10} KiB"
        figures = (
            *(each.first_secret, each.first_signature),
            *(each.second_thread, each.worker),
        )
        row = "".join(
            f"{'-' if figure is None else figure:>10}" for figure in figures
        )
        yield f"{label:<{_WIDE}}{row}"
    yield "  At the first secret and the first signature; what a second"
    yield "  thread at work adds; all that a forked worker has."


def as_json(report: Report) -> dict[str, Any]:
    """Give the same to programs; times are ns, sizes are bytes."""
    return {
        "versions": report.versions,
        "absent": {
            each.key: each.why_not
            for each in report.configurations
            if each.why_not
        },
        "times": [time.as_dict() for time in report.times],
        "calls": [each._asdict() for each in report.calls],
        "locked": [each._asdict() for each in report.locked],
        "entry_ns": report.entry,
        "targets": [each._asdict() for each in judge(report)],
    }
