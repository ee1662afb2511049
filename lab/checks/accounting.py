"""RLIMIT_MEMLOCK in both regimes: per process at mmap, per user at touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.bench import boot
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


JOB = """
echo "[unlimited]"; probe -l -1 -u 1000 charge 300
echo "[user]"; probe -l 256 -u 1000 charge 300
echo "[touch]"; probe -l 256 -u 1000 touch 300
echo "[root]"; probe -l 256 charge 300
probe -l 256 -u 1000 charged 200 > /tmp/first & first=$!
sleep 2
echo "[second]"; probe -l 256 -u 1000 charge 200
echo "[other]"; probe -l 256 -u 1001 charge 200
kill $first; wait $first
echo "[again]"; probe -l 256 -u 1000 charge 200
echo "[first]"; cat /tmp/first
echo "[zero]"; probe -l 0 charge 1
"""

# What is tried, section of the answer, expected per process, per user.
CASES = (
    (
        "user, limit 256 pages, asks for 300",
        "user",
        "EAGAIN at mmap",
        "256 pages, then EFAULT",
    ),
    (
        "the same, pages touched by the program itself",
        "touch",
        "EAGAIN at mmap",
        "256 pages, then SIGBUS",
    ),
    ("root, the same", "root", "300 pages", "256 pages, then EFAULT"),
    (
        "second process asks for 200 while the first holds 200",
        "second",
        "200 pages",
        "56 pages, then EFAULT",
    ),
    ("another user meanwhile", "other", "200 pages", "200 pages"),
    ("the same user after release", "again", "200 pages", "200 pages"),
    ("root, limit 0", "zero", "1 pages", "0 pages, then EFAULT"),
)


def _told(answers: Answers, section: str) -> str:
    """Say in words how far the probe came."""
    mapped = answers.get(section, "mmap")
    if mapped != "ok":
        return f"{mapped} at mmap"
    name = "touched" if section == "touch" else "charged"
    pages = f"{answers.get(section, name)} pages"
    stopped = answers.get(section, "stopped")
    return pages if stopped == "no" else f"{pages}, then {stopped}"


def check(kernel: Kernel) -> Iterator[Row]:
    """Use 4 KiB pages under small limits; the control has no limit."""
    answers = Answers(boot(kernel, JOB).text)
    free = _told(answers, "unlimited")
    regime = "per user at touch" if kernel.per_user else "per process at mmap"
    tried = [
        (what, _told(answers, section), old, new)
        for what, section, old, new in CASES
    ]
    tried += [
        (
            "VmLck of a process that holds 200",
            f"{answers.get('first', 'VmLck')} kB",
            "800 kB",
            "0 kB",
        ),
        (
            "madvise(MADV_DONTNEED) on the area",
            answers.get("first", "dontneed"),
            "EINVAL",
            "ok",
        ),
    ]
    for what, observed, old, new in tried:
        yield Row(
            row="memlock",
            what=what,
            kernel=kernel.release,
            expected=new if kernel.per_user else old,
            observed=observed,
            control=f"no limit: {free}",
            control_ok=free == "300 pages",
            evidence=f"regime by the package's changelog: {regime}",
        )
