"""The machine finds wrong rules: each planted one, within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance import budget
from conformance.machine import DifferenceError
from conformance.planted import QUICK, SLOW
from conformance.test_machine import against


if TYPE_CHECKING:
    from conformance.planted import Plant
    from conformance.profiles import Profile
    from conformance.world import Nursery


PROGRAMS = 300
"""Most programs until a wrong rule must have been found."""
MORE_PROGRAMS = 3000
"""The same for rules that few programs meet."""

CHOSEN = (*QUICK, *SLOW) if budget.ASKED else QUICK


@pytest.mark.needs_secretmem
@pytest.mark.parametrize("plant", CHOSEN, ids=lambda plant: plant.__name__)
def test_a_wrong_rule_is_found(
    nursery: Nursery,
    profile: Profile,
    monkeypatch: pytest.MonkeyPatch,
    plant: Plant,
) -> None:
    """A model with this wrong rule disagrees with the live kernel."""
    plant(monkeypatch)
    most = MORE_PROGRAMS if plant in SLOW else PROGRAMS
    with pytest.raises(DifferenceError):
        budget.search(against(nursery, profile), most)
