"""
The patch set's stages, each as a machine that runs.

Dates and contents are those of the postings to linux-mm and of the released
kernels. Where the article's count of versions and the postings that could be
found differ, the posting's own number is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from secretmem.model.config import MEBIBYTE, Config


@dataclass(frozen=True)
class Stage:
    """
    One form of the idea.

    Attributes:
        name: how it was called.
        when: ISO month of its first posting or release.
        rows: rows of the article that it belongs to.
        config: the machine.
        what: what was new.
        why: what led to it.

    """

    name: str
    when: str
    rows: str
    config: Config
    what: str
    why: str


_POOL_SIZE = 64 * MEBIBYTE

_FIRST: Final = Config(
    version=(5, 4),
    interface="mmap-flag",
    default_on=True,
    blocks_hibernation=False,
    refuses_exec=False,
)
_MEMFD: Final = replace(
    _FIRST,
    version=(5, 7),
    interface="memfd-flag",
    uncached_mode=True,
)
_CALL: Final = replace(
    _MEMFD,
    version=(5, 14),
    interface="call",
    hiding_optional=True,
    pool="chunk",
)
_RESERVED: Final = replace(_CALL, pool="reserved", pool_size=_POOL_SIZE)
_ALWAYS: Final = replace(_RESERVED, hiding_optional=False)
_CHUNKS: Final = replace(_ALWAYS, pool="chunk", pool_size=0)
_CMA: Final = replace(_CHUNKS, pool="cma", pool_size=_POOL_SIZE)
_CACHED: Final = replace(_CMA, uncached_mode=False)
_BLOCKING: Final = replace(_CACHED, blocks_hibernation=True)
_PLAIN: Final = replace(_BLOCKING, pool="none", pool_size=0, default_on=False)
_MERGED: Final = replace(_PLAIN, refuses_exec=True, default_on=None)
_ON: Final = replace(_MERGED, version=(6, 5))
_PER_USER: Final = replace(_ON, version=(7, 3), accounting="user")

STAGES: Final[tuple[Stage, ...]] = (
    Stage(
        "mapping flag (MAP_EXCLUSIVE)",
        "2019-10",
        "S9",
        _FIRST,
        "a flag of mmap: private memory that leaves the direct map",
        "keys should be out of reach of the kernel's own bugs",
    ),
    Stage(
        "memfd flag (MFD_SECRET)",
        "2020-01",
        "S9 S14",
        _MEMFD,
        "a memfd with an ioctl that chooses exclusive or uncached",
        "a descriptor can be passed on, and the page cache does the work",
    ),
    Stage(
        "v1, a call of its own",
        "2020-07",
        "S9 S11",
        _CALL,
        "memfd_secret(flags), which takes 2 MiB at a time for each file",
        "it shared little with memfds, and seccomp cannot filter ioctls",
    ),
    Stage(
        "v2, reserved range",
        "2020-07",
        "S10",
        _RESERVED,
        "a range of memory set aside at boot, out of the direct map",
        "no large entry of the direct map is split later",
    ),
    Stage(
        "v4, hiding is the rule",
        "2020-08",
        "S11",
        _ALWAYS,
        "every area leaves the direct map, no flag",
        "smaller entries cost little, measured",
    ),
    Stage(
        "v5, no reserved range",
        "2020-09",
        "S10",
        _CHUNKS,
        "again 2 MiB at a time for each file",
        "a range that nobody else can use is memory lost",
    ),
    Stage(
        "v8, CMA pool",
        "2020-11",
        "S12",
        _CMA,
        "the 2 MiB come out of a contiguous-memory area",
        "movable pages may use the range meanwhile",
    ),
    Stage(
        "v11, always cached",
        "2020-11",
        "S14",
        _CACHED,
        "the uncached mode is gone",
        "what it means differs by architecture, and it is slow",
    ),
    Stage(
        "v13, no hibernation",
        "2020-12",
        "S13",
        _BLOCKING,
        "no hibernation while an area exists",
        "the image on disk would hold the secret",
    ),
    Stage(
        "v17, off by default, no pool",
        "2021-02",
        "S15 S12",
        _PLAIN,
        "page by page; the boot option secretmem.enable=",
        "259 benchmarks showed no need for a pool; locked memory is feared",
    ),
    Stage(
        "5.14, merged",
        "2021-08",
        "S2 S15 S16",
        _MERGED,
        "memfd_secret(2) as it is: not executable, off by default",
        "after v19 and v20",
    ),
    Stage(
        "6.5, on by default",
        "2023-08",
        "S15",
        _ON,
        "the switch's default is on",
        "RLIMIT_MEMLOCK bounds it, and splits cost little",
    ),
    Stage(
        "2026, paid per user",
        "2026-09",
        "S15",
        _PER_USER,
        "RLIMIT_MEMLOCK is charged per user, at the first touch",
        "a forked child paid nothing for what it inherited (CVE-2026-93243)",
    ),
)
