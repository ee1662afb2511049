"""The census as text for people and as data for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from secretmem.ps.census import take
from secretmem.ps.machine import direct_map, hibernation
from secretmem.ps.proc import Proc


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.ps.census import Census, Process
    from secretmem.ps.machine import DirectMap, Hibernation


# Raised when a field changes its meaning or goes; new ones may come.
SCHEMA = 1

_BASE = 1024

_ROOT = "Root with all capabilities sees them."

# From here on a fraction says nothing.
_TWO_DIGITS = 10

_HEAD = f"{'PID':>8} {'USER':<10} {'MAPPED':>10} {'IN RAM':>10} {'FDS':>4}  "


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that ``secretmem ps`` shows at one moment."""

    census: Census
    hibernation: Hibernation
    direct_map: DirectMap | None

    def as_dict(self) -> dict[str, object]:
        """Return the report for JSON; sizes in bytes, times in UTC."""
        census = self.census
        return {
            "schema": SCHEMA,
            "processes": [_process(each) for each in census.processes],
            "files": census.files,
            "mapped": census.mapped,
            "resident": census.resident,
            "seen": census.seen,
            "hidden": census.hidden,
            "hidden_descriptors": census.hidden_descriptors,
            "hibernation": {
                **asdict(self.hibernation),
                "blocked_by": [each.pid for each in census.processes],
            },
            "direct_map": (
                None if self.direct_map is None else asdict(self.direct_map)
            ),
        }

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text."""
        census = self.census
        if census.processes:
            yield f"{_HEAD}{'SINCE':<22} COMMAND"
        for each in census.processes:
            yield _row(each)
        if census.processes:
            yield ""
        yield _sum(census)
        yield _hibernation(self.hibernation, census)
        yield _direct_map(self.direct_map)
        yield from _hidden(census)


def look(proc: Proc | None = None) -> Report:
    """
    Look at the machine once.

    Raises OSError when there is no /proc.
    """
    proc = proc or Proc()
    return Report(take(proc), hibernation(proc), direct_map(proc))


def _process(each: Process) -> dict[str, object]:
    """Return one process for JSON."""
    data = asdict(each)
    data["files"] = sorted(f"{device} {inode}" for device, inode in each.files)
    data["since"] = _time(each.since)
    data["user"] = _user(each.uid)
    return data


def _row(each: Process) -> str:
    """Return one process as a line of the table."""
    # What is open but not mapped is shown in brackets, so that it is not
    # taken for mapped memory.
    mapped = _size(each.mapped)
    if each.held:
        mapped = f"({_size(each.held)})" if not each.mapped else f"{mapped}+"
    fds = "?" if each.descriptors is None else str(each.descriptors)
    mark = "" if each.since_of == "file" else ">="
    return (
        f"{each.pid:>8} {_user(each.uid):<10} {mapped:>10} "
        f"{_size(each.resident):>10} {fds:>4}  "
        f"{mark}{_time(each.since) or '?':<{22 - len(mark)}} {each.comm}"
    )


def _sum(census: Census) -> str:
    """Say in one sentence how much there is."""
    if not census.processes:
        return "No secret memory was seen."
    count = len(census.processes)
    return (
        f"{count} {'process holds' if count == 1 else 'processes hold'} "
        f"{census.files} secretmem file{'' if census.files == 1 else 's'}: "
        f"{_size(census.mapped)} mapped, {_size(census.resident)} in RAM."
    )


def _hibernation(state: Hibernation, census: Census) -> str:
    """Say whether hibernation is refused, and who causes it."""
    if state.supported is None:
        return "Hibernation: /sys/power is not readable."
    if not state.supported:
        return "Hibernation: this kernel does not hibernate."
    if state.allowed:
        return "Hibernation: allowed."
    pids = ", ".join(str(each.pid) for each in census.processes)
    if pids:
        return f"Hibernation: refused while these hold secret memory: {pids}."
    return (
        "Hibernation: refused, and no holder was seen: another cause "
        "(lockdown, nohibernate), or a holder that is not visible here."
    )


def _direct_map(found: DirectMap | None) -> str:
    """Say how the direct map is split."""
    if found is None:
        return "Direct map: page sizes are not shown on this machine."
    sizes = ", ".join(
        f"{_size(size)} in {name} pages" for name, size in found.sizes.items()
    )
    splits = ", ".join(
        f"{count} of {name}" for name, count in found.splits.items()
    )
    joined = sum(found.collapses.values())
    return (
        f"Direct map: {sizes}; entries split since boot: "
        f"{splits or 'not counted'}, joined again: {joined}."
    )


def _hidden(census: Census) -> Iterator[str]:
    """Say what could not be seen."""
    if census.hidden:
        yield (
            f"Not readable: memory of {len(census.hidden)} and descriptors "
            f"of {len(census.hidden_descriptors)} of {census.seen} "
            f"processes. {_ROOT}"
        )
    elif census.hidden_descriptors:
        yield (
            f"Not readable: descriptors of {len(census.hidden_descriptors)} "
            f"of {census.seen} processes. {_ROOT}"
        )


def _size(size: int | None) -> str:
    """Return ``size`` bytes in a unit that a person reads."""
    if size is None:
        return "?"
    unit, amount = "B", float(size)
    for bigger in ("KiB", "MiB", "GiB"):
        if amount < _BASE:
            break
        unit, amount = bigger, amount / _BASE
    digits = ".0f" if amount >= _TWO_DIGITS else ".3g"
    return f"{amount:{digits}} {unit}"


def _time(seconds: float | None) -> str | None:
    """Return a time in UTC, to the second."""
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _user(uid: int | None) -> str:
    """Return the name of user ``uid``, its number without a name."""
    import pwd

    if uid is None:
        return "?"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
