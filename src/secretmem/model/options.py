"""How sizes are written on a command line, and plans as plain data."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from secretmem.model import live
from secretmem.model.plan import plan


if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretmem.model.live import Comparison
    from secretmem.model.plan import Question


_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
SMALLEST_MEMORY: Final = 16 << 20


def size(words: str) -> int:
    """
    Read a size in bytes: `4096`, `32K`, `64G`, `64GiB`.

    Raises:
        ValueError: it is none, or not positive.

    """
    found = re.fullmatch(
        r"(\d+)\s*([KMGT]?)(?:iB|B)?", words.strip(), re.IGNORECASE
    )
    if found is None or int(found[1]) == 0:
        message = f"{words!r} is not a size such as 4096, 32K or 64G"
        raise ValueError(message)
    return int(found[1]) * _UNITS[found[2].upper()]


def probes() -> tuple[list[Comparison], str | None]:
    """Run the live probes; the comparisons, and why there are none."""
    done = []
    try:
        for pages in live.PROBES:
            done.append(live.compare(pages))  # noqa: PERF401 keep what was done
    except live.UnavailableError as error:
        return done, str(error)
    return done, None


def as_data(
    question: Question, comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    """Give question, answers and probes as plain data, for JSON."""
    return {
        "question": asdict(question),
        "answers": [asdict(each) for each in plan(question)],
        "live": [
            {**asdict(each), "difference": each.difference}
            for each in comparisons
        ],
    }
