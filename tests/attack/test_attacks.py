"""Every attack, run as `secretmem prove` runs it, control included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from secretmem.prove import attacks
from secretmem.prove.attack import Outcome, Promise, Verdict


if TYPE_CHECKING:
    from secretmem.prove.attack import Row
    from secretmem.prove.runner import Runner

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_ptrace,
    # Python 3.12 and later warn of fork beside faulthandler's thread.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.mark.parametrize("name", attacks.NAMES)
def test_comes_out_as_promised(
    name: str, runner: Runner, rows: dict[str, Row]
) -> None:
    """
    The control succeeds, and the Secret is kept or readable as documented.

    A row that cannot run here has a reason, and the same one again.
    """
    attack, row = attacks.named(name), rows[name]
    if row.reason:
        assert row.verdict is Verdict.NOT_RUN
        assert attack.requires() == row.reason
        return
    kept = Verdict.KEPT
    if attack.promise is Promise.READABLE:
        kept = Verdict.DOCUMENTED
    assert row.verdict is kept, row.cells
    assert [cell.kind for cell in row.cells] == list(runner.setting.kinds)
    assert all(cell.evidence for cell in row.cells)


@pytest.mark.parametrize("name", attacks.NAMES)
def test_what_is_said_of_mlocked_memory_is_true(
    name: str, rows: dict[str, Row]
) -> None:
    """The expectation for libsodium's memory is what comes out."""
    attack, row = attacks.named(name), rows[name]
    cell = row.cell("mlocked")
    if cell is None:
        assert row.reason
        return
    leaked = cell.outcome in {Outcome.LEAKED, Outcome.CHANGED}
    assert leaked == attack.locked, cell


def test_every_file_is_an_attack_of_the_table() -> None:
    """No attack was forgotten, and each carries the name of its file."""
    folder = Path(attacks.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == set(attacks.NAMES)
    assert [a.name for a in attacks.load()] == list(attacks.NAMES)


def test_every_attack_explains_itself() -> None:
    """Titles fit the table, explanations are sentences."""
    for attack in attacks.load():
        assert len(attack.title) <= 33, attack.name
        assert attack.explanation.endswith("."), attack.name


def test_an_unknown_attack_is_a_key_error() -> None:
    """A name that is not in the table is not imported."""
    with pytest.raises(KeyError):
        attacks.named("os")
