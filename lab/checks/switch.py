"""S15: is the call there, and which boot option turns it on or off?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.bench import boot
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


JOB = """
probe call
enable=/sys/module/secretmem/parameters/enable
echo "parameter=$(cat $enable 2>/dev/null || echo none)"
echo "log=$(dmesg | grep -i -o 'unknown kernel command line.*')"
"""


def _cases(kernel: Kernel) -> list[tuple[str, str]]:
    """Return boot words and the expected answer of the call."""
    if not kernel.has_call:
        return [("", "ENOSYS"), ("secretmem.enable=1", "ENOSYS")]
    if kernel.on_by_default:
        return [
            ("", "ok"),
            ("secretmem.enable=0", "ENOSYS"),
            ("secretmem_enable=0", "ok"),
        ]
    return [
        ("", "ENOSYS"),
        ("secretmem.enable=1", "ok"),
        ("secretmem_enable=1", "ENOSYS"),
    ]


def check(kernel: Kernel) -> Iterator[Row]:
    """Boot once for each option; the control is memfd_create(2)."""
    for words, expected in _cases(kernel):
        answers = Answers(boot(kernel, JOB, append=words).text)
        control = answers.get("", "memfd_create")
        parts = [f"enable={answers.get('', 'parameter')}"]
        if log := answers.get("", "log"):
            parts.append(log)
        yield Row(
            row="S15",
            what=f"boot with {words}" if words else "boot with no option",
            kernel=kernel.release,
            expected=expected,
            observed=answers.get("", "memfd_secret"),
            control=f"memfd_create {control}",
            control_ok=control == "ok",
            evidence="; ".join(parts),
        )
