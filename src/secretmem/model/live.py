"""
The live machine beside the plan: take a few pages and look at the counters.

This is the only part of the model that makes system calls, and it makes them
in a child process. It needs Linux with memfd_secret(2).
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from secretmem.model.plan import expected_splits


PROBES: Final = (1, 16, 64, 256)
"""Pages of each probe; together well under the usual limit of 8 MiB."""

_KIB_PER_SPLIT = 2048

_CHILD = """
import ctypes, mmap, os, platform, sys
pages = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result == -1:
        code = ctypes.get_errno()
        sys.exit(os.strerror(code))
    return result
number = 318 if platform.machine() == "x86_64" else 278
fd = check(libc.syscall(447, os.O_CLOEXEC))
os.ftruncate(fd, pages * 4096)
area = mmap.mmap(fd, pages * 4096)
first = ctypes.addressof(ctypes.c_char.from_buffer(area))
for page in range(pages):
    check(libc.syscall(number, ctypes.c_void_p(first + page * 4096),
                       ctypes.c_size_t(1), 0))
"""


@dataclass(frozen=True)
class Comparison:
    """
    One probe.

    Attributes:
        pages: pages taken in one file.
        expected: 2 MiB entries split, as `expected_splits` gives them.
        measured: growth of DirectMap4k in 2 MiB; other programs count too.

    """

    pages: int
    expected: float
    measured: int

    @property
    def difference(self) -> float:
        """Measured less expected."""
        return self.measured - self.expected


class UnavailableError(Exception):
    """The live machine cannot be looked at; the message says why."""


def counters(text: str | None = None) -> dict[str, int]:
    """
    Read the DirectMap counters, in KiB, of /proc/meminfo.

    Raises:
        UnavailableError: this system has none.

    """
    found = {}
    for line in (text or _proc("meminfo")).splitlines():
        name, _, rest = line.partition(":")
        if name.startswith("DirectMap"):
            found[name] = int(rest.split()[0])
    if "DirectMap4k" not in found:
        raise UnavailableError("this kernel shows no DirectMap counters")
    return found


def free_blocks(text: str | None = None) -> list[tuple[int, int]]:
    """
    Read (pages in a block, blocks) of the largest zone of /proc/buddyinfo.

    Raises:
        UnavailableError: this system has none.

    """
    zones = [
        [int(count) for count in line.split()[4:]]
        for line in (text or _proc("buddyinfo")).splitlines()
    ]
    if not zones:
        raise UnavailableError("this kernel shows no free blocks")
    largest = max(
        zones, key=lambda counts: sum(n << o for o, n in enumerate(counts))
    )
    return [(1 << order, count) for order, count in enumerate(largest)]


class Supply(NamedTuple):
    """
    Where the next secret pages will come from.

    Attributes:
        blocks: (pages in a block, free blocks).
        share_large: part of the memory they lie in that large entries cover.

    """

    blocks: list[tuple[int, int]]
    share_large: float


def supply(directmap: dict[str, int], typeinfo: str | None = None) -> Supply:
    """
    Tell the supply by /proc/pagetypeinfo (root), else /proc/buddyinfo.

    Secret pages cannot move, so the kernel takes them from its unmovable
    2 MiB blocks as long as these have free pages. Split entries lie in such
    blocks too: the model takes it that as many of them are split as the
    counters say.
    """
    split = directmap["DirectMap4k"] // _KIB_PER_SPLIT
    try:
        lines = (typeinfo or _proc("pagetypeinfo")).splitlines()
    except UnavailableError:
        whole = sum(directmap.values())
        large = whole - directmap["DirectMap4k"]
        return Supply(free_blocks(), large / whole)
    free = [
        [int(count) for count in line.split()[6:]]
        for line in lines
        if "type    Unmovable" in line
    ]
    orders = [sum(counts) for counts in zip(*free, strict=True)]
    blocks = sum(
        int(line.split()[4])
        for line in lines
        if re.match(r"Node +\d+, zone +\w+( +\d+){3,} *$", line)
    )
    share = max(0.0, 1 - split / blocks) if blocks else 1.0
    return Supply([(1 << o, count) for o, count in enumerate(orders)], share)


def compare(pages: int) -> Comparison:
    """
    Take `pages` pages of secret memory in a child, and give them back.

    The splits stay: this costs the machine what it measures.

    Raises:
        UnavailableError: no counters, or no secret memory.

    """
    before = counters()
    expected = expected_splits(pages, *supply(before))
    _take(pages)
    grown = counters()["DirectMap4k"] - before["DirectMap4k"]
    return Comparison(pages, expected, grown // _KIB_PER_SPLIT)


def _take(pages: int) -> None:
    child = subprocess.run(  # noqa: S603 our own interpreter, our own text
        [sys.executable, "-I", "-c", _CHILD, str(pages)],
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        why = child.stderr.strip() or f"signal {-child.returncode}"
        raise UnavailableError(f"no secret memory: {why}")


def _proc(name: str) -> str:
    try:
        return Path("/proc", name).read_text("ascii")
    except OSError as error:
        reason = error.strerror
        raise UnavailableError(f"/proc/{name}: {reason}") from None
