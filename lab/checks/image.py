"""
S5, its exception: frames that were the kernel's own image.

x86-64 maps the kernel's image a second time.  After boot the kernel gives
unused parts of it (a few MB) to the page allocator, but takes them out of
that second mapping only under page table isolation
(free_kernel_image_pages() in arch/x86/mm/init.c), and processors that
Meltdown does not affect run without it.  memfd_secret(2) closes the direct
map alone, so a secret page on such a frame stays readable to the kernel.
With isolation about 2 MB remain mapped there: what the kernel frees by
another path, as "unused decrypted memory".
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lab.bench import SWITCH_ON, boot
from lab.rows import NOTHING, Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


# All memory of a small guest but 7 MB, so that many pages land there.  Where
# the kernel lies is random: it may be where this guest's memory is used up
# by other things, so the next attempt has another size.
MEMORY = ("256M", "224M", "320M")
JOB = """
echo "[fresh]"; probe -l -1 image 64
echo "[full]"
pages=$(awk '/MemFree/{print int(($2 - 7168) / 4)}' /proc/meminfo)
probe -l -1 image $pages
echo "meltdown=$(cat /sys/devices/system/cpu/vulnerabilities/meltdown)"
"""
# More than the 2 MB that remain mapped are needed to see a difference.
LEAST = 700
ATTEMPTS = 9


def _boot(kernel: Kernel, words: str) -> Answers:
    if not kernel.on_by_default:
        words = f"{words} {SWITCH_ON}".strip()
    best = Answers("")
    for _, memory in zip(
        range(ATTEMPTS), itertools.cycle(MEMORY), strict=False
    ):
        outcome = boot(kernel, JOB, append=words, memory=memory, seconds=120)
        best = max(best, Answers(outcome.text), key=_landed)
        if _landed(best) >= LEAST:
            break
    return best


def _landed(answers: Answers) -> int:
    """Return how many secret pages lay on frames of the kernel's image."""
    return answers.number("full", "inside")


def check(kernel: Kernel) -> Iterator[Row]:
    """Read such pages through the image's mapping, without and with PTI."""
    for words in ("pti=off", "pti=on"):
        answers = _boot(kernel, words)
        inside = _landed(answers)
        image = answers.number("full", "image")
        direct = answers.number("full", "direct")
        if words == "pti=off":
            expected, met = "all readable there", image == inside
        else:
            expected, met = "fewer readable there", image < inside
        observed = expected if met else f"{image} of {inside} readable"
        if inside <= 0:
            observed = NOTHING
        yield Row(
            row="S5, exception",
            what=f"secret pages on frames of the kernel's image, {words}",
            kernel=kernel.release,
            expected=expected,
            observed=observed,
            control=f"through the direct map: {direct} of {inside}",
            control_ok=inside >= LEAST and direct == 0,
            evidence=(
                f"{answers.get('full', 'held')} pages held, {inside} on such "
                f"frames, {image} readable through the image's mapping; of "
                f"the first 64 after boot {answers.get('fresh', 'image')}; "
                f"meltdown: {answers.get('full', 'meltdown')}"
            ),
        )
