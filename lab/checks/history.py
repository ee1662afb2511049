"""S10, S12, S14: parts of the article's system that no kernel kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.bench import SWITCH_ON, boot
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


# The early versions of the patch set reserved memory by this boot option.
RESERVE = "secretmem=16M"
NONE = "no kernel has it"
JOB = """
probe call
echo "cmdline=$(cat /proc/cmdline)"
echo "log=$(dmesg | grep -i -o 'unknown kernel command line.*')"
echo "cma=$(grep -c ^Cma /proc/meminfo)"
echo "total=$(grep -c ^MemTotal /proc/meminfo)"
"""


def check(kernel: Kernel) -> Iterator[Row]:
    """Look for a reserved range, a CMA pool and flags beside O_CLOEXEC."""
    words = RESERVE if kernel.on_by_default else f"{RESERVE} {SWITCH_ON}"
    answers = Answers(boot(kernel, JOB, append=words).text)
    log, line = answers.get("", "log"), answers.get("", "cmdline")
    yield Row(
        row="S10",
        what="a range reserved at boot (secretmem=16M)",
        kernel=kernel.release,
        expected=NONE,
        observed=NONE if RESERVE in log else "option taken",
        control="option on the command line",
        control_ok=RESERVE in line,
        evidence=log,
    )
    cma, total = answers.get("", "cma"), answers.get("", "total")
    yield Row(
        row="S12",
        what="CMA as the pool",
        kernel=kernel.release,
        expected=NONE,
        observed=NONE if cma == "0" else f"{cma} CMA counters",
        control=f"MemTotal counters: {total}",
        control_ok=total == "1",
        evidence=f"CMA counters in /proc/meminfo: {cma}",
    )
    flags, call = (
        answers.get("", "accepted_flags"),
        answers.get(
            "",
            "memfd_secret",
        ),
    )
    yield Row(
        row="S14",
        what="a flag for uncached mappings",
        kernel=kernel.release,
        expected=NONE,
        observed=NONE if flags == "0x80000" else f"flags {flags}",
        control=f"flags 0 {call}",
        control_ok=call == "ok",
        evidence=f"of 32 flag bits accepted: {flags} (O_CLOEXEC is 0x80000)",
    )
