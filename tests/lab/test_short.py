"""The short part of the laboratory: two real kernels, about two minutes."""

from __future__ import annotations

import pytest

from lab import kernels, plan


@pytest.mark.needs_guests
@pytest.mark.parametrize("name", plan.SHORT_KERNELS)
@pytest.mark.parametrize("step", plan.SHORT, ids=lambda step: step.name)
def test_kernel_behaves_as_the_table_says(step: plan.Step, name: str) -> None:
    """Each row is as expected, and its control found what it must."""
    rows = list(step.check(kernels.get(name)))

    assert rows
    assert [row for row in rows if not row.fine] == []
