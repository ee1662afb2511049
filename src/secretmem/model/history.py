"""
The patch set's history, run: what each stage permits, hides and costs.

    python -m secretmem.model history
"""

from __future__ import annotations

import errno
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from secretmem.model import abi, cost, outside
from secretmem.model.kernel import Kernel
from secretmem.model.stages import STAGES


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.model.config import Config
    from secretmem.model.process import Process
    from secretmem.model.stages import Stage


NEEDLE: Final = b"the secret of this stage, 32 b.."
SECRETS: Final = 16
"""Secrets that each stage is asked to hold, one file each."""
FRAGMENTS: Final = 2_000
"""Scattered free pieces of the machine that holds them."""


@dataclass(frozen=True)
class Observation:
    """
    What one stage was seen to do.

    Attributes:
        steps: the calls by which a program gets an area.
        default: whether they work without a boot option.
        root_reads: what root gets by process_vm_readv: an errno or "secret".
        direct_map: whether the secret can be read through the direct map.
        executable: whether an area may be executable: "yes" or an errno.
        hibernation: "refused", "image holds the secret" or "image without".
        cached_lines: cache lines with the secret while it is in use.
        splits: large entries split by holding `SECRETS` secrets.
        flushes: TLB flushes of all processors for that.
        taken: bytes of memory that this keeps from everybody else.
        nanoseconds: price of making them and reading each once.

    """

    steps: str
    default: bool
    root_reads: str
    direct_map: bool
    executable: str
    hibernation: str
    cached_lines: int
    splits: int
    flushes: int
    taken: int
    nanoseconds: float


def observe(config: Config, *, uncached: bool = False) -> Observation:
    """Run one stage; `uncached` uses its uncached mode."""
    kernel = Kernel(replace(config, cmdline="secretmem.enable=1"))
    process = kernel.spawn(1000)
    address = _area(process, uncached=uncached)
    process.store(address, NEEDLE)
    frame = outside.frame_of(process, address)
    assert frame is not None  # noqa: S101 it was stored to
    splits, flushes, taken, nanoseconds = _hold_many(config, uncached=uncached)
    return Observation(
        steps=_STEPS[config.interface],
        default=config.switched_on,
        root_reads=_root_reads(kernel, process, address),
        direct_map=NEEDLE in outside.kcore(kernel, frame),
        executable=_executable(process, uncached=uncached),
        hibernation=_hibernation(kernel),
        cached_lines=kernel.cpu.lines_of(frame),
        splits=splits,
        flushes=flushes,
        taken=taken,
        nanoseconds=nanoseconds,
    )


def story() -> Iterator[tuple[Stage, Observation]]:
    """Give each stage with what it was seen to do, oldest first."""
    for stage in STAGES:
        yield stage, observe(stage.config)


def as_rows() -> list[dict[str, Any]]:
    """Give the story as plain data, for JSON."""
    rows = []
    for stage, seen in story():
        row = {
            "name": stage.name,
            "when": stage.when,
            "rows": stage.rows,
            "what": stage.what,
            "why": stage.why,
            **asdict(seen),
        }
        if stage.config.uncached_mode:
            row["uncached"] = asdict(observe(stage.config, uncached=True))
        rows.append(row)
    return rows


_STEPS: Final = {
    "mmap-flag": "mmap(MAP_ANONYMOUS | MAP_PRIVATE | MAP_EXCLUSIVE)",
    "memfd-flag": "memfd_create(MFD_SECRET), ioctl, ftruncate, mmap",
    "call": "memfd_secret, ftruncate, mmap",
}


def _area(process: Process, *, uncached: bool, prot: int = abi.PROT_RW) -> int:
    """Get one page by the stage's own interface; the address."""
    config = process.kernel.config
    size = abi.PAGE_SIZE
    if config.interface == "mmap-flag":
        private = abi.MAP_PRIVATE | abi.MAP_ANONYMOUS | abi.MAP_EXCLUSIVE
        return process.mmap(size, prot, private)
    if config.interface == "memfd-flag":
        fd = process.memfd_create("secret", abi.MFD_SECRET)
        modes = (abi.MFD_SECRET_EXCLUSIVE, abi.MFD_SECRET_UNCACHED)
        process.ioctl(fd, modes[uncached])
    else:
        mode = abi.SECRETMEM_UNCACHED if uncached else 0
        if config.hiding_optional and not uncached:
            mode = abi.SECRETMEM_EXCLUSIVE
        fd = process.memfd_secret(mode)
    process.ftruncate(fd, size)
    return process.mmap(size, prot, abi.MAP_SHARED, fd)


def _root_reads(kernel: Kernel, victim: Process, address: int) -> str:
    root = kernel.spawn(0)
    try:
        root.process_vm_readv(victim.pid, address, len(NEEDLE))
    except OSError as error:
        return _name(error)
    return "secret"


def _executable(process: Process, *, uncached: bool) -> str:
    try:
        _area(process, uncached=uncached, prot=abi.PROT_READ | abi.PROT_EXEC)
    except OSError as error:
        return _name(error)
    return "yes"


def _hibernation(kernel: Kernel) -> str:
    try:
        image = outside.hibernate(kernel)
    except OSError:
        return "refused"
    holds = outside.sees(NEEDLE, image)
    return "image holds the secret" if holds else "image without"


def _hold_many(
    config: Config, *, uncached: bool
) -> tuple[int, int, int, float]:
    """Hold `SECRETS` secrets: splits, flushes, bytes taken, price."""
    machine = replace(
        config, cmdline="secretmem.enable=1", fragments=FRAGMENTS
    )
    kernel = Kernel(machine)
    process = kernel.spawn(1000)
    for _ in range(SECRETS):
        address = _area(process, uncached=uncached)
        process.store(address, NEEDLE)
        process.load(address, len(NEEDLE))
    directmap = kernel.directmap
    return (
        directmap.splits_1g + directmap.splits_2m,
        directmap.flushes,
        kernel.taken_pages() * abi.PAGE_SIZE,
        cost.price({**kernel.cpu.events, "flush": directmap.flushes}),
    )


def _name(error: OSError) -> str:
    return errno.errorcode[error.errno or 0]
