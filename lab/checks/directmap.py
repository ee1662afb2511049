"""S10, S11: large entries of the direct map split, and stay split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.bench import boot
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


PAGES = 4096
JOB = f"""
probe -l -1 directmap ordinary {PAGES} | sed 's/^\\[/[ordinary-/'
probe -l -1 directmap secret {PAGES} | sed 's/^\\[/[secret-/'
"""
FIELD = "DirectMap4k"


def _grown(answers: Answers, kind: str, since: str, until: str) -> int:
    """Return by how many kB the part mapped by 4 KiB entries grew."""
    before = answers.number(f"{kind}-{since}", FIELD)
    after = answers.number(f"{kind}-{until}", FIELD)
    return after - before


def check(kernel: Kernel) -> Iterator[Row]:
    """Hold 4096 pages of each kind and read the machine's counters."""
    answers = Answers(boot(kernel, JOB, memory="4G").text)
    control = _grown(answers, "ordinary", "before", "held")
    held = _grown(answers, "secret", "before", "held")
    freed = _grown(answers, "secret", "held", "freed")
    evidence = "; ".join(
        f"{when}: {answers.all(f'secret-{when}')}"
        for when in ("before", "held", "freed")
    )
    rows = (
        (f"{PAGES} secret pages held", "split", held > 0, "no split"),
        ("and released again", "stays split", freed == 0, "merged back"),
    )
    for what, expected, seen, otherwise in rows:
        yield Row(
            row="S10, S11",
            what=f"direct map: {what}",
            kernel=kernel.release,
            expected=expected,
            observed=expected if seen else otherwise,
            control=f"{PAGES} ordinary pages: {control:+d} kB in 4K entries",
            control_ok=control == 0,
            evidence=evidence,
        )
