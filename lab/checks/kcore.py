"""S5: the pages leave the kernel's direct map and come back wiped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.bench import boot
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


PAGES = 64


def check(kernel: Kernel) -> Iterator[Row]:
    """
    Read 64 pages of each kind at their addresses in the direct map, as root.

    A page that is absent there is given as zeros (the kernel hides the
    fault).  A released page may be in use again when it is read, so that the
    row counts markers and leaves the rest to the evidence.
    """
    answers = Answers(boot(kernel, "probe kcore").text)
    control = answers.number("ordinary", "markers")
    freed = answers.number("ordinary-freed", "markers")
    reused = answers.number("reused", "markers")
    rows = (
        (
            "secret pages in use",
            "secret",
            f"{PAGES} zeros",
            f"{answers.get('secret', 'zeros')} zeros",
            f"ordinary: {control} of {PAGES} markers",
            control == PAGES,
        ),
        (
            "secret pages released",
            "secret-freed",
            "0 markers",
            f"{answers.get('secret-freed', 'markers')} markers",
            f"ordinary, released: {freed} markers",
            freed > 0,
        ),
        (
            "their frames, used again by pipes",
            "reused",
            "readable",
            "readable" if reused > 0 else "not readable",
            f"ordinary: {control} of {PAGES} markers",
            control == PAGES,
        ),
    )
    for what, section, expected, observed, told, held in rows:
        yield Row(
            row="S5",
            what=f"/proc/kcore: {what}",
            kernel=kernel.release,
            expected=expected,
            observed=observed,
            control=told,
            control_ok=held,
            evidence=answers.all(section),
        )
