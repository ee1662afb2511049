"""How a row is judged: the control comes first, a pass has to be earned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem.prove.attack import (
    Attack,
    Cell,
    Layer,
    Outcome,
    Promise,
    Row,
    Verdict,
)
from secretmem.prove.report import Report
from secretmem.prove.runner import Setting, Unavailable


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage

L, C = Outcome.LEAKED, Outcome.CHANGED
R, A = Outcome.REFUSED, Outcome.ABSENT
N, T, B = Outcome.NOT_RUN, Outcome.NO_TARGET, Outcome.BROKEN
CLOSED, READABLE = Promise.CLOSED, Promise.READABLE


def _never(_stage: Stage, _kind: str) -> Cell:
    raise NotImplementedError


def _attack(promise: Promise = CLOSED, name: str = "sample") -> Attack:
    return Attack(name, "a title", Layer.KERNEL, "", _never, promise=promise)


def _row(
    promise: Promise, *outcomes: Outcome, third: str = "secretmem"
) -> Row:
    kinds = ("ordinary", "mlocked", third)
    cells = (Cell(k, o, "seen") for k, o in zip(kinds, outcomes, strict=False))
    return Row(_attack(promise), tuple(cells))


@pytest.mark.parametrize(
    "promise,outcomes,verdict",
    [
        (CLOSED, (L, L, R), Verdict.KEPT),
        (CLOSED, (C, C, A), Verdict.KEPT),
        (CLOSED, (L, R, R), Verdict.KEPT),
        (CLOSED, (L, T, R), Verdict.KEPT),
        (CLOSED, (L, L, L), Verdict.FINDING),
        (CLOSED, (L, R, C), Verdict.FINDING),
        (CLOSED, (R, L, R), Verdict.BROKEN),
        (CLOSED, (A, A, A), Verdict.BROKEN),
        (CLOSED, (R, R, L), Verdict.BROKEN),
        (CLOSED, (B, L, R), Verdict.BROKEN),
        (CLOSED, (T, T, A), Verdict.BROKEN),
        (CLOSED, (L, L, B), Verdict.BROKEN),
        (CLOSED, (L, L, T), Verdict.BROKEN),
        (CLOSED, (L, L, N), Verdict.NOT_RUN),
        (CLOSED, (N, N, N), Verdict.NOT_RUN),
        (CLOSED, (L, L), Verdict.NOT_RUN),
        (CLOSED, (), Verdict.NOT_RUN),
        (READABLE, (L, L, L), Verdict.DOCUMENTED),
        (READABLE, (L, L, R), Verdict.UNEXPECTED),
        (READABLE, (R, L, L), Verdict.BROKEN),
    ],
)
def test_verdicts(
    promise: Promise, outcomes: tuple[Outcome, ...], verdict: Verdict
) -> None:
    """Each combination of outcomes has the verdict of the table."""
    assert _row(promise, *outcomes).verdict is verdict


@pytest.mark.parametrize("outcome", [L, C, R, A, T])
def test_the_degraded_mode_is_shown(outcome: Outcome) -> None:
    """Nothing is promised for it, whatever comes out."""
    row = _row(CLOSED, L, L, outcome, third="degraded")
    assert row.verdict is Verdict.SHOWN


def _setting(missing: Unavailable | None = None) -> Setting:
    made_of = dict.fromkeys(("ordinary", "mlocked", "secretmem"), "pages")
    return Setting(made_of, "pku", "root", "Linux 6.18", "x86_64", missing)


def _report(*rows: Row) -> Report:
    return Report(_setting(), rows, 1.25)


KEPT = _row(CLOSED, L, L, R)
LIMIT = _row(READABLE, L, L, L)
LEAK = _row(CLOSED, L, L, L)
BROKEN = _row(CLOSED, R, L, R)
SKIPPED = Row(_attack(), (), reason="needs root")


@pytest.mark.parametrize(
    "rows,code",
    [
        ((KEPT,), 0),
        ((KEPT, LIMIT, SKIPPED), 0),
        ((KEPT, LEAK), 1),
        ((KEPT, BROKEN), 1),
        ((KEPT, _row(READABLE, L, L, A)), 1),
        ((SKIPPED,), 69),
        ((), 69),
    ],
)
def test_exit_codes(rows: tuple[Row, ...], code: int) -> None:
    """0 takes that at least one row ran, and every one as promised."""
    assert _report(*rows).exit_code == code


def test_a_good_sentence_counts() -> None:
    """The verdict is one sentence, with the limits and what was left out."""
    assert _report(KEPT, KEPT, LIMIT, SKIPPED).sentence == (
        "2 attacks read or changed ordinary memory, and none of them the "
        "secret; 1 limit readable, as documented; 1 not run here"
    )


def test_a_bad_sentence_names_the_attacks() -> None:
    """A finding and a broken attack are named."""
    sentence = _report(KEPT, LEAK, BROKEN).sentence
    assert sentence == (
        "not as promised: finding: sample; attack broken: sample"
    )


def test_without_secret_memory_nothing_is_claimed() -> None:
    """Where the call is missing, the exit code is 69 whatever came out."""
    row = _row(CLOSED, L, L, L, third="degraded")
    missing = Unavailable("kernel-old", "too old")
    report = Report(_setting(missing), (row,), 1.0)
    assert report.exit_code == 69
    assert report.sentence.startswith("secret memory is not available here")
    assert "1 of 1 attack got the needle" in report.sentence


def test_the_dictionary_has_what_the_table_has() -> None:
    """Rows in JSON carry outcome, expectation and evidence."""
    data = _report(KEPT, SKIPPED).as_dict()
    first, second = data["rows"]
    assert first["verdict"] == "as promised"
    assert [c["outcome"] for c in first["cells"]] == [
        "leaked",
        "leaked",
        "refused",
    ]
    assert first["cells"][0]["expected"] == "succeeds: this is the control"
    assert first["cells"][2]["expected"] == "not readable, not changeable"
    assert second["reason"] == "needs root"
    assert data["setting"]["unavailable"] is None


def test_a_documented_limit_is_called_readable() -> None:
    """In the table the word differs from that of a finding."""
    assert LIMIT.label("secretmem") == "readable"
    assert LEAK.label("secretmem") == "leaked"
    assert SKIPPED.label("secretmem") == "not run"
