"""Random programs: the live kernel and the model agree on every outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance import budget
from conformance.rules import AllRules
from conformance.world import LiveWorld, ModelWorld


if TYPE_CHECKING:
    from conformance.profiles import Profile
    from conformance.world import Nursery, World


def against(nursery: Nursery, profile: Profile) -> type[AllRules]:
    """Give the machine that compares the live kernel with the model."""

    class KernelProgram(AllRules):
        """Programs on the live kernel."""

        @staticmethod
        def make_worlds() -> tuple[World, ModelWorld]:
            """Start with no process in either world."""
            return LiveWorld(nursery), ModelWorld(profile.config)

    return KernelProgram


@pytest.mark.needs_secretmem
@pytest.mark.parametrize("chunk", range(budget.CHUNKS))
def test_live_kernel_and_model_agree(
    nursery: Nursery,
    profile: Profile,
    chunk: int,  # noqa: ARG001 one more set of programs
) -> None:
    """Every value, errno, signal and visible byte is the same."""
    budget.run(against(nursery, profile))
