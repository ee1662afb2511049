"""Print a report for people, and give it to programs."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bench import footprint
from bench.imports import BARE
from bench.targets import judge
from bench.timing import CASES, TITLES
from bench.workers import SODIUM


if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.calls import Calls
    from bench.report import Report
    from bench.targets import Target
    from bench.timing import Case, Time

WIDE = 28
TEN = 10
# A blank at which no line is broken.
_JOIN = "\N{NO-BREAK SPACE}"
_MICROSECOND = 1000
_VERDICTS = {True: "reached", False: "MISSED", None: "not known"}


def lines(report: Report) -> Iterator[str]:
    """Give the table line by line."""
    yield from _machine(report)
    yield from _times(report)
    yield from _calls(report)
    yield from _bytes(report)
    yield from _live(report)
    yield from _imports(report)
    yield from of_targets(judge(report))


def _machine(report: Report) -> Iterator[str]:
    facts = report.machine
    virtual = ", virtual machine" if facts["virtual"] else ""
    limit = facts["memlock"]
    yield "A 32-byte secret: secretmem beside other ways of keeping it"
    yield ""
    yield f"cpu       {facts['cpu']}, {facts['cores']} cores{virtual}"
    keys = "yes" if facts["protection_keys"] else "none"
    yield f"keys      {keys} (protection keys, pkey_alloc(2))"
    room = "unlimited" if limit is None else f"{limit // 1024} KiB"
    yield f"kernel    {facts['kernel']}, RLIMIT_MEMLOCK {room}"
    yield f"python    {facts['python']}, {facts['libc']}"
    build = facts["build"]
    yield f"secretmem {build['version']}, {build['profile']} build"
    for key in (SODIUM, "openssl"):
        said = facts["versions"].get(key, facts["absent"].get(key))
        yield f"{key:9} {said}"
    yield f"load      {facts['load']} at the end of the timing"


def _times(report: Report) -> Iterator[str]:
    effort = report.effort
    yield ""
    yield f"TIME PER OPERATION: best and median of {effort.rounds} rounds"
    yield f"({effort.rounds_together} with other threads), all in turn. Last"
    yield "column: how many times faster than libsodium, best to best; it is"
    yield "measured in C, bytearray and secretmem as seen from Python."
    if any(each.key == "no_gate" for each in report.configurations):
        yield '"Gate left out": mprotect(2) replaced by a function that does'
        yield "nothing. It protects nothing, and shows what our code costs."
    for case in CASES:
        yield ""
        head = f"{'best':>10}{'median':>11}{'x libsodium':>13}"
        yield f"{_title(case):<{WIDE + 12}}{head}"
        yield from _case(report, case)


def _title(case: Case) -> str:
    title = TITLES[case.operation]
    if case.busy:
        title += ", busy thread beside"
    if case.threads > 1:
        title += f" in {case.threads} threads"
    return title


def _case(report: Report, case: Case) -> Iterator[str]:
    times = {time.key: time for time in report.of(case)}
    base = times.get(SODIUM)
    for each in report.configurations:
        start = f"  {each.label:<{WIDE + 10}}"
        time = times.get(each.key)
        if time is None:
            yield f"{start} {each.why_not or _no_such(case)}"
            continue
        best, middle = duration(time.best), duration(time.median)
        yield f"{start}{best:>10}{middle:>11}{_against(time, base):>13}"
    if case.threads > 1:
        yield from _scaling(report, case)
    if case.operation in {"compare", "matches"} and not case.busy:
        yield "  Theirs is open all the time; ours is opened, compared on a"
        yield "  secret stack, wiped and closed."


def _no_such(case: Case) -> str:
    return "has no interpreter" if case.busy else "is always open"


def _scaling(report: Report, case: Case) -> Iterator[str]:
    """Say what a second thread adds."""
    for time in report.of(case):
        alone = report.time(case.operation, time.key)
        if alone is not None:
            gain = alone.best / time.best
            label = report.label(time.key)
            yield f"  {label:<{WIDE + 10}}{gain:>10.2f} x one thread"


def _against(time: Time, base: Time | None) -> str:
    if base is None:
        return "-"
    ratio = base.best / time.best
    return f"{ratio:.0f}" if ratio >= TEN else f"{ratio:.2g}"


def duration(value: float) -> str:
    """Give nanoseconds for people."""
    if value < _MICROSECOND:
        return f"{value:.0f} ns"
    return f"{value / _MICROSECOND:.2f} us"


def _calls(report: Report) -> Iterator[str]:
    yield ""
    yield "SYSTEM CALLS PER OPERATION (strace)"
    if report.no_calls:
        yield f"  not counted: {report.no_calls}"
    for operation, calls in groupby(_in_order(report), _operation):
        yield TITLES[operation]
        for each in calls:
            counts = [
                f"{n:.3g}{_JOIN}{name}" for name, n in each.counts.items()
            ]
            said = ", ".join(counts) or "none"
            label = f"  {report.label(each.key):<{WIDE}}"
            yield from hanging(label, said)


def hanging(start: str, text: str) -> Iterator[str]:
    """Break a long text between its parts, below where it starts."""
    space = " " * len(start)
    for line in wrap(text, 79, initial_indent=start, subsequent_indent=space):
        yield line.replace(_JOIN, " ")


def _in_order(report: Report) -> list[Calls]:
    order = list(TITLES)
    return sorted(report.calls, key=lambda each: order.index(each.operation))


def _operation(calls: Calls) -> str:
    return calls.operation


def _bytes(report: Report) -> Iterator[str]:
    yield ""
    yield "BYTES at the first secret, and of each further one (mean)"
    heads = ("locked", "resident", "locked", "resident", "of")
    yield f"{'':{WIDE}}" + "".join(f"{head:>10}" for head in heads)
    for each in report.footprints:
        yield (
            f"  {report.label(each.key):<{WIDE - 2}}{each.first_locked:>10}"
            f"{each.first_resident:>10}{each.locked_each:>10.1f}"
            f"{each.resident_each:>10.1f}{each.further:>10}"
        )


def _live(report: Report) -> Iterator[str]:
    yield ""
    yield f"LIVE AND LOCKED under a limit, {footprint.unprivileged()}; ours"
    yield "with one window out and one stack in use"
    for limit, found in groupby(report.lives, lambda live: live.limit):
        yield f"  {limit // 1024} KiB"
        for each in found:
            rest = each.made - each.live
            note = f"  and {rest:,} more, silently unlocked" if rest else ""
            yield f"    {report.label(each.key):<{WIDE}}{each.live:>9,}{note}"


def _imports(report: Report) -> Iterator[str]:
    yield ""
    yield "IMPORT: CPU time over a bare start, best and median"
    for each in report.imports:
        bare = each.statement == BARE
        start = f"  {'(the bare start)' if bare else each.statement:<{WIDE}}"
        yield f"{start}{each.best:>10.2f} ms{each.median:>10.2f} ms"


def of_targets(targets: list[Target]) -> Iterator[str]:
    """Give the rows of targets."""
    yield ""
    yield f"{'TO REACH':38}{'wanted':>17}{'measured':>11}"
    for each in targets:
        start = f"  {each.name:36}{each.wanted:>17}{each.measured:>11}"
        yield f"{start}  {_VERDICTS[each.reached]}"
        if each.why:
            yield f"    {each.why}"


def as_json(report: Report) -> dict[str, Any]:
    """Give the same to programs; times are ns, sizes are bytes."""
    return {
        "machine": report.machine,
        "times": [time.as_dict() for time in report.times],
        "calls": [each._asdict() for each in report.calls],
        "bytes": [each._asdict() for each in report.footprints],
        "live": [each._asdict() for each in report.lives],
        "imports_ms": [each._asdict() for each in report.imports],
        "targets": [each._asdict() for each in judge(report)],
    }
