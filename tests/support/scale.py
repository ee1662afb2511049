"""How long the long loops of the suite are."""

from __future__ import annotations

import os


# 1 keeps `make test` short on two cores; 10 is a good night's work.
VARIABLE = "SECRETMEM_TEST_SCALE"


def times(usual: int, least: int = 1) -> int:
    """Scale a number of repetitions, never below ``least``."""
    factor = float(os.environ.get(VARIABLE, "1"))
    return max(least, round(usual * factor))
