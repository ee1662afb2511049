"""The package itself in a guest: full kernels, this machine's Python."""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, NamedTuple

from lab.bench import SWITCH_ON
from lab.hostroot import run_here
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


ROOT = pathlib.Path(__file__).resolve().parents[2]
INSIDE = ROOT / "lab" / "inside.py"
PROVE = "secretmem prove"
# Without it the attack on page frames may succeed: a row of its own, `image`.
ISOLATION = "pti=on"
SECONDS = 1200


def python() -> pathlib.Path:
    """Return the Python that has the package: ``$LAB_PYTHON`` or .venv's."""
    named = os.environ.get("LAB_PYTHON")
    return pathlib.Path(named) if named else ROOT / ".venv/bin/python"


class _Case(NamedTuple):
    """One row before it knows its kernel."""

    row: str
    what: str
    expected: str
    observed: str
    control: str
    control_ok: bool
    evidence: str


def _rows(kernel: Kernel, cases: list[_Case]) -> Iterator[Row]:
    for case in cases:
        yield Row(case.row, f"package: {case.what}", kernel.release, *case[2:])


def _ask(kernel: Kernel, append: str) -> Answers:
    words = [str(python()), str(INSIDE)]
    outcome = run_here(
        kernel,
        words,
        append=append,
        seconds=SECONDS,
        quiet=True,
    )
    return Answers(outcome.text)


def _first_use(answers: Answers, expected: str) -> _Case:
    call = answers.get("", "doctor_call")
    agreed = "ok" if expected == "ok" else "unavailable"
    return _Case(
        row="S15",
        what="first use of a Secret",
        expected=expected,
        observed=answers.get("", "use"),
        control=f"secretmem doctor: the call is {call}",
        control_ok=call == agreed,
        evidence=f"doctor's exit status {answers.get('', 'doctor')}",
    )


def unavailable(kernel: Kernel) -> Iterator[Row]:
    """Ask for secret memory where there is none, and read the remedy."""
    reason = "switch-off" if kernel.has_call else "kernel-old"
    answers = _ask(kernel, "")
    expected = f"{reason}, remedy names switch"
    yield from _rows(kernel, [_first_use(answers, expected)])


def check(kernel: Kernel) -> Iterator[Row]:
    """Use the package on a kernel that has the call on."""
    append = "" if kernel.on_by_default else SWITCH_ON
    answers = _ask(kernel, append)

    def said(name: str) -> str:
        return answers.get("", name)

    finding = "no answer" if kernel.per_user else "finding"
    cases = [
        _first_use(answers, "ok"),
        _Case(
            row="S5",
            what="SecretArea, through /proc/kcore",
            expected="zeros",
            observed=said("secret"),
            control=f"ordinary: {said('ordinary')}",
            control_ok=said("ordinary") == "marker",
            evidence=f"backend {said('backend')}",
        ),
        _Case(
            row="S13",
            what="hibernation with a SecretArea",
            expected="not offered",
            observed=said("held"),
            control=f"before {said('before')}, after {said('released')}",
            control_ok=said("before") == said("released") == "offered",
            evidence=f"secretmem ps names the holder: {said('named')}",
        ),
        _Case(
            row="S13",
            what="secretmem ps names who blocks hibernation",
            expected="yes",
            observed=said("named"),
            control=f"hibernation {said('held')}",
            control_ok=said("held") == "not offered",
            evidence="its own process, by number",
        ),
        _Case(
            row="memlock",
            what="secrets until the limit of 64 KiB, uid 1000",
            expected="LimitError",
            observed=said("small"),
            control=f"no limit: {said('unlimited')}",
            control_ok=said("unlimited").startswith("1000 secrets"),
            evidence="an exception, not SIGBUS and not EAGAIN",
        ),
        _Case(
            row="memlock",
            what="secretmem doctor on CVE-2026-93243",
            expected=finding,
            observed=said("doctor_accounting"),
            control=f"the call is {said('doctor_call')}",
            control_ok=said("doctor_call") == "ok",
            evidence='"no answer" means that doctor has nothing to report',
        ),
        _Case(
            row="gate",
            what="how the arena is closed",
            expected="pku",
            observed=said("gate"),
            control=f"ospke in /proc/cpuinfo: {said('ospke')}",
            control_ok=said("ospke") == "yes",
            evidence="secretmem.posture().gate",
        ),
    ]
    yield from _rows(kernel, cases)


def prove(kernel: Kernel) -> Iterator[Row]:
    """Run all attacks of the package in a guest that has swap."""
    words = [str(python().with_name("secretmem")), "prove"]
    switch = "" if kernel.on_by_default else SWITCH_ON
    outcome = run_here(
        kernel,
        words,
        append=f"{ISOLATION} {switch}".strip(),
        seconds=SECONDS,
        swap=True,
        quiet=True,
    )
    report = outcome.text.strip()
    attacked = "ordinary memory" in report
    yield Row(
        row="S1",
        what=f"{PROVE}, booted with {ISOLATION}",
        kernel=kernel.release,
        expected="exit status 0",
        observed=f"exit status {outcome.status}",
        control="its own, on ordinary memory",
        control_ok=attacked,
        evidence=" ".join(report.rsplit("\n\n", 1)[-1].split()),
    )
