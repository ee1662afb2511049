"""`SecretArea` behaves as the model says, in random programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance import area_model, budget
from conformance.area_actor import SETUP
from conformance.area_rules import AreaRules
from conformance.machine import DifferenceError
from conformance.world import LiveWorld, Nursery


if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.profiles import Profile
    from conformance.world import ModelWorld, World


@pytest.fixture(scope="module")
def area_nursery() -> Iterator[Nursery]:
    """Give the parent of processes that can use `secretmem`."""
    started = Nursery(*SETUP)
    yield started
    started.close()


def against(nursery: Nursery, profile: Profile) -> type[AreaRules]:
    """Give the machine that compares areas with the model."""

    class AreaProgram(AreaRules):
        """Programs with areas on the live kernel."""

        @staticmethod
        def make_worlds() -> tuple[World, ModelWorld]:
            """Start with no process in either world."""
            model = area_model.AreaModelWorld(profile.config)
            return LiveWorld(nursery), model

        def make_area(self, *_: int) -> None:
            """Areas are made by rules only."""

    return AreaProgram


@pytest.mark.needs_secretmem
@pytest.mark.parametrize("chunk", range(budget.CHUNKS))
def test_areas_and_model_agree(
    area_nursery: Nursery,
    profile: Profile,
    chunk: int,  # noqa: ARG001 one more set of programs
) -> None:
    """Every value, error and visible byte is the same."""
    budget.run(against(area_nursery, profile))


@pytest.mark.needs_secretmem
def test_a_wrong_promise_is_found(
    area_nursery: Nursery,
    profile: Profile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model that forgets to close the descriptor disagrees."""
    true = area_model._make

    def wrong(*args: object, keep_fd: bool, **named: object) -> object:
        del keep_fd
        return true(*args, keep_fd=True, **named)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setitem(area_model._STEPS, "area_make", wrong)
    with pytest.raises(DifferenceError):
        budget.search(against(area_nursery, profile), 100)
