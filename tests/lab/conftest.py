"""What the laboratory's tests need: QEMU, busybox and kernels of Debian."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from support import needs


# The laboratory is not installed; it is imported from the checkout.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from lab import bench, guest, initramfs, kernels, plan
from lab.apt import LabError


if TYPE_CHECKING:
    import pytest


MARKER = "needs_guests"
MEANING = "QEMU boots kernels that the Debian archive offers"


@cache
def guests() -> str | None:
    """Tell why no guest can be booted here."""
    try:
        guest.qemu()
        initramfs.busybox()
        bench.probe()
        for name in plan.SHORT_KERNELS:
            kernels.get(name)
    except LabError as error:
        return str(error)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Add this folder's needs to the others."""
    needs.PROBES[MARKER] = guests
    needs.MARKERS[MARKER] = MEANING
    config.addinivalue_line("markers", f"{MARKER}: {MEANING}")
