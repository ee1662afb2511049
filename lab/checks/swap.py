"""Swap to a disk and to zram: ordinary pages go there, secret ones never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import markers
from lab.bench import boot, drive, scratch
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel
    from lab.markers import Count


DISK_BYTES = 1 << 30
MEMORY = "384M"
PAGES = 64
JOB = """
DEVICE=%s
mkswap $DEVICE > /dev/null && swapon $DEVICE
probe -l -1 hold 64 64 > /tmp/held &
sleep 2
cat /tmp/held
free=$(awk '/MemAvailable/{print int($2/1024)}' /proc/meminfo)
probe fill $((free + %d))
echo "total=$(awk '/SwapTotal/{print $2}' /proc/meminfo)"
sync
"""
DISK = JOB % ("/dev/vda", 60)
ZRAM = (
    "echo 256M > /sys/block/zram0/disksize\n"
    + JOB % ("/dev/zram0", 20)
    + "probe scan /dev/zram0\n"
)


def _row(
    kernel: Kernel,
    what: str,
    answers: Answers,
    found: Count,
) -> Row:
    held = answers.get("", "ready") == "1"
    used = answers.number("", "total") - answers.number("", "SwapFree")
    return Row(
        row="swap",
        what=what,
        kernel=kernel.release,
        expected="secret 0 pages",
        observed=f"secret {found.secret} pages",
        control=f"ordinary {found.ordinary} of {PAGES} pages",
        control_ok=held and found.ordinary == PAGES,
        evidence=(
            f"{used} kB of swap in use when memory was full; "
            f"MADV_PAGEOUT on the secret: "
            f"{answers.get('', 'pageout_secret')}"
        ),
    )


def disk(kernel: Kernel) -> Iterator[Row]:
    """Fill a small guest past its memory; the host reads the swap disk."""
    with scratch(DISK_BYTES) as place:
        outcome = boot(
            kernel,
            DISK,
            memory=MEMORY,
            arguments=drive(place / "disk"),
        )
        found = markers.count(place / "disk")
    yield _row(kernel, "swap on a disk", Answers(outcome.text), found)


def zram(kernel: Kernel) -> Iterator[Row]:
    """Do the same with compressed memory; the guest reads the device."""
    answers = Answers(boot(kernel, ZRAM, memory=MEMORY).text)
    found = markers.Count(
        answers.number("", "ordinary_pages"),
        answers.number("", "secret_pages"),
    )
    yield _row(kernel, "swap on zram", answers, found)
