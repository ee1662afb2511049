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
CMA = "cma=64M"
NONE = "no kernel has it"
HELD_PAGES = 4096
# What else the kernel does meanwhile may move this much.
NOISE_KB = 1024
JOB = f"""
free() {{ echo "$1=$(awk '/CmaFree/{{print $2}}' /proc/meminfo)"; }}
probe call
echo "cmdline=$(cat /proc/cmdline)"
echo "log=$(dmesg | grep -i -o 'unknown kernel command line.*')"
echo "total=$(awk '/CmaTotal/{{print $2}}' /proc/meminfo)"
free before
probe -l -1 hold {HELD_PAGES} 0 > /tmp/held & holder=$!
sleep 2
free secret
cat /tmp/held
kill $holder; wait $holder
sleep 1
free ordinary_before
probe fill 350 & sleep 4
free ordinary
wait
"""


def _reserved(answers: Answers) -> tuple[str, str, bool, str]:
    """Look whether the kernel knows the option that reserved a range."""
    log, line = answers.get("", "log"), answers.get("", "cmdline")
    observed = NONE if RESERVE in log else "option taken"
    return observed, "option on the command line", RESERVE in line, log


def _pool(answers: Answers) -> tuple[str, str, bool, str]:
    """
    Look whether secret pages come out of the CMA area.

    A kernel built with CMA gets an area; ordinary memory uses it, which is
    the control.
    """
    ready = answers.get("", "ready") == "1"
    if not answers.get("", "total"):
        evidence = "the kernel is built without CMA"
        return NONE, f"{HELD_PAGES} pages held", ready, evidence
    taken, used = (
        answers.number("", before) - answers.number("", after)
        for before, after in (
            ("before", "secret"),
            ("ordinary_before", "ordinary"),
        )
    )
    observed = NONE if taken < NOISE_KB else f"{taken} kB out of CMA"
    evidence = (
        f"CMA area of {answers.get('', 'total')} kB; {HELD_PAGES} secret "
        f"pages took {taken} kB of it"
    )
    control = f"350 MB of ordinary memory took {used} kB of CMA"
    return observed, control, ready and used > NOISE_KB, evidence


def _uncached(answers: Answers) -> tuple[str, str, bool, str]:
    """Look whether the call takes any flag beside O_CLOEXEC."""
    flags = answers.get("", "accepted_flags")
    call = answers.get("", "memfd_secret")
    observed = NONE if flags == "0x80000" else f"flags {flags}"
    evidence = f"of 32 flag bits accepted: {flags} (O_CLOEXEC is 0x80000)"
    return observed, f"flags 0 {call}", call == "ok", evidence


PARTS = (
    ("S10", "a range reserved at boot (secretmem=16M)", _reserved),
    ("S12", "CMA as the pool", _pool),
    ("S14", "a flag for uncached mappings", _uncached),
)


def check(kernel: Kernel) -> Iterator[Row]:
    """Boot with the options of that time, and look for all three."""
    words = f"{RESERVE} {CMA}"
    if not kernel.on_by_default:
        words += f" {SWITCH_ON}"
    answers = Answers(boot(kernel, JOB, append=words).text)
    for row, what, look in PARTS:
        observed, control, control_ok, evidence = look(answers)
        yield Row(
            row=row,
            what=what,
            kernel=kernel.release,
            expected=NONE,
            observed=observed,
            control=control,
            control_ok=control_ok,
            evidence=evidence,
        )
