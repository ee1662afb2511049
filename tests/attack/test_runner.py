"""What the runner makes of attacks that fail, hang, lie or succeed."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from secretmem.prove import attacks, maps
from secretmem.prove.attack import (
    Attack,
    CannotRunError,
    Cell,
    Layer,
    Outcome,
    Verdict,
)
from secretmem.prove.runner import Runner
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.prove.stage import Stage

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    # Python 3.12 and later warn of fork beside faulthandler's thread.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def _attack(
    run: Callable[[Stage, str], Cell],
    name: str = "sample",
    seconds: float = PATIENCE,
) -> Attack:
    return Attack(name, "a sample", Layer.KERNEL, "", run, seconds=seconds)


def _ordinary_only(stage: Stage, kind: str) -> Cell:
    """Read the ordinary kinds as proc_mem does, claim failure elsewhere."""
    cell = attacks.named("proc_mem").run(stage, kind)
    return Cell(kind, cell.outcome, cell.evidence)


def test_a_real_attack_passes(runner: Runner) -> None:
    """The sample that the others are compared with."""
    (row,) = runner.rows([_attack(_ordinary_only)])
    assert row.verdict is Verdict.KEPT


def _fails(_stage: Stage, _kind: str) -> NoReturn:
    raise RuntimeError("the attack has a bug")


def test_an_attack_with_a_bug_is_broken(runner: Runner) -> None:
    """An exception in the attacker is no pass."""
    (row,) = runner.rows([_attack(_fails)])
    assert row.verdict is Verdict.BROKEN
    assert "RuntimeError: the attack has a bug" in row.cells[0].evidence


def _gets_nothing(_stage: Stage, kind: str) -> Cell:
    return Cell(kind, Outcome.REFUSED, "refused everywhere", "EPERM")


def test_an_attack_whose_control_fails_is_broken(runner: Runner) -> None:
    """Refused on ordinary memory too: it proves nothing."""
    (row,) = runner.rows([_attack(_gets_nothing)])
    assert row.verdict is Verdict.BROKEN


def _gets_everything(_stage: Stage, kind: str) -> Cell:
    return Cell(kind, Outcome.LEAKED, "got it")


def test_a_leak_of_the_secret_is_a_finding(runner: Runner) -> None:
    """What the package promises and does not keep is found."""
    (row,) = runner.rows([_attack(_gets_everything)])
    assert row.verdict is Verdict.FINDING


def _hangs(_stage: Stage, kind: str) -> Cell:
    if kind == "mlocked":
        signal.pause()
    return Cell(kind, Outcome.LEAKED, "got it")


def test_an_attack_that_hangs_is_killed(runner: Runner) -> None:
    """It is broken, and the next attack has victims again."""
    first, second = runner.rows(
        [_attack(_hangs, seconds=1.0), _attack(_ordinary_only, "next")]
    )
    assert first.verdict is Verdict.BROKEN
    assert "not done after" in first.cells[-1].evidence
    assert second.verdict is Verdict.KEPT


def _dies(_stage: Stage, _kind: str) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_an_attacker_that_dies_is_no_pass(runner: Runner) -> None:
    """A row without cells says so."""
    (row,) = runner.rows([_attack(_dies)])
    assert row.verdict is Verdict.BROKEN
    assert "without a word" in row.cells[-1].evidence


def _kills_its_victim(stage: Stage, kind: str) -> Cell:
    with stage.victim(kind) as victim:
        victim.kill()
        victim.ask("known")
    return Cell(kind, Outcome.LEAKED, "got it")


def test_a_victim_that_dies_is_reported(runner: Runner) -> None:
    """An attack that loses its victim by accident is broken."""
    (row,) = runner.rows([_attack(_kills_its_victim)])
    assert row.verdict is Verdict.BROKEN
    assert "ended" in row.cells[0].evidence


def _asks_nonsense(stage: Stage, kind: str) -> Cell:
    with stage.victim(kind) as victim:
        victim.ask("nonsense")
    return Cell(kind, Outcome.LEAKED, "got it")


def test_an_error_in_the_victim_is_reported(runner: Runner) -> None:
    """What the victim raised is in the evidence."""
    (row,) = runner.rows([_attack(_asks_nonsense)])
    assert row.verdict is Verdict.BROKEN
    assert "in the victim: ValueError" in row.cells[0].evidence


def _cannot(_stage: Stage, _kind: str) -> NoReturn:
    raise CannotRunError("there is no moon")


def test_an_attack_that_cannot_run_says_why(runner: Runner) -> None:
    """The reason is the evidence, and the row is not counted."""
    (row,) = runner.rows([_attack(_cannot)])
    assert row.verdict is Verdict.NOT_RUN
    assert row.cells[0].evidence == "there is no moon"


def _slow(_stage: Stage, kind: str) -> Cell:
    time.sleep(0.1)
    return Cell(kind, Outcome.LEAKED, "got it")


def test_rows_come_in_their_order(runner: Runner) -> None:
    """A quick attack does not overtake a slow one in the table."""
    names = [
        row.attack.name
        for row in runner.rows(
            [_attack(_slow, "slow"), _attack(_gets_nothing, "quick")]
        )
    ]
    assert names == ["slow", "quick"]


def test_rows_stream(runner: Runner) -> None:
    """The first row is there while the last attack hangs."""
    rows = runner.rows([_attack(_gets_nothing), _attack(_hangs, "late")])
    assert next(rows).attack.name == "sample"
    rows.close()  # type: ignore[attr-defined]  # it is a generator


def test_victims_hold_their_own_needle(runner: Runner) -> None:
    """Each victim has a needle of its own, and is a process of its own."""
    stage = runner.stage()
    with stage.victim("ordinary") as one, stage.victim("ordinary") as two:
        assert one.needle.text != two.needle.text
        assert one.pid != two.pid
        assert one.search_memory().find is not None
        assert maps.scan(one.pid, two.needle.find_any_form).find is None


def test_a_victim_of_a_secret_holds_no_copy(runner: Runner) -> None:
    """The needle is in the Secret and nowhere else in the victim."""
    with runner.stage().victim("secretmem") as victim:
        assert maps.secret_mappings(victim.pid)
        assert maps.scan(victim.pid, victim.needle.find_any_form).find is None


def test_victims_end_with_the_attacker(runner: Runner) -> None:
    """No process is left when the attacker lets go of its victim."""
    with runner.stage().victim("mlocked") as victim:
        pid = victim.pid
        pidfd = os.pidfd_open(pid)
    try:
        assert victim.ending() == {"code": 0}
    finally:
        os.close(pidfd)


def test_everything_ends_with_the_runner() -> None:
    """The victim programs and the files are gone afterwards."""
    with Runner() as runner:
        stage = runner.stage()
        directory = stage.directory
        victim = stage.victim("ordinary")
        pidfd = os.pidfd_open(victim.pid)
    with victim:
        assert select.select([pidfd], [], [], PATIENCE)[0]
    os.close(pidfd)
    assert not directory.exists()
