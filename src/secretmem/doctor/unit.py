"""
Check of the systemd unit that this process belongs to.

The filter of a unit kills with SIGSYS unless SystemCallErrorNumber= is set,
and none of systemd's groups but ``@known`` contains memfd_secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


_CALL = "memfd_secret"

# Where systemd looks, most important first (systemd.unit(5)).
_PLACES = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)


@dataclass(slots=True)
class Filter:
    """
    The value of SystemCallFilter= after all its lines (systemd.exec(5)).

    ``allow`` is None without a filter, else whether ``names`` are the calls
    that are allowed or those that are refused.
    """

    allow: bool | None = None
    names: set[str] = field(default_factory=set)

    def add(self, line: str) -> None:
        """Merge one more assignment; the first one decides the kind."""
        if not line:
            self.allow = None
            self.names.clear()
            return
        invert = line.startswith("~")
        words = {word.split(":")[0] for word in line.lstrip("~").split()}
        if self.allow is None:
            self.allow = not invert
        if self.allow == invert:
            self.names -= words
        else:
            self.names |= words

    def admits(self) -> bool:
        """Tell whether memfd_secret passes."""
        listed = bool({_CALL, "@known"} & self.names)
        return self.allow is None or listed == self.allow


def unit(system: System) -> Iterator[Finding]:
    """Report what the unit's files say about the call and the limit."""
    name = unit_name(system)
    if name is None:
        return
    if system.unit and not any(unit_files(system, name)):
        yield Finding(
            "sandbox.unit",
            "unknown",
            f"no file of the systemd unit {name} was found",
            "looked in /" + ", /".join(_PLACES),
            remedy="`systemctl cat NAME` shows where its files are.",
        )
        return
    lines = list(settings(system, name))
    calls = Filter()
    for key, value in lines:
        if key == "SystemCallFilter":
            calls.add(value)
    shown = "; ".join(f"{key}={value}" for key, value in lines) or "no filter"
    if calls.admits():
        yield Finding(
            "sandbox.unit",
            "ok",
            f"the systemd unit {name} admits memfd_secret",
            shown,
        )
    else:
        yield _refused(name, shown)


def unit_name(system: System) -> str | None:
    """Return the unit asked for, or that of this process's control group."""
    if system.unit:
        name = system.unit
        return name if "." in name else f"{name}.service"
    for line in (system.read("proc/self/cgroup") or "").splitlines():
        last = line.rpartition("/")[2]
        if last.endswith(".service"):
            return last
    return None


def settings(system: System, name: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of unit ``name`` that matter here, in file order."""
    wanted = {"SystemCallFilter", "SystemCallErrorNumber", "LimitMEMLOCK"}
    for path in unit_files(system, name):
        text = (system.read(path) or "").replace("\\\n", " ")
        for line in text.splitlines():
            key, _, value = line.partition("=")
            if key.strip() in wanted:
                yield key.strip(), value.strip()


def unit_files(system: System, name: str) -> Iterator[str]:
    """
    Yield the file of unit ``name`` and then its drop-ins, by name.

    Drop-ins of the same name hide each other: those of the unit come before
    those of its template, of its prefixes ("app-.service.d" for
    app-web.service) and of all services (systemd.unit(5)).
    """
    names = [name]
    if "@" in name:
        start, _, _ = name.partition("@")
        names.append(f"{start}@.service")
    files = [f"{place}/{each}" for each in names for place in _PLACES]
    yield from [path for path in files if system.exists(path)][:1]
    parts = name.removesuffix(".service").split("-")
    names.extend(
        f"{'-'.join(parts[:count])}-.service"
        for count in range(len(parts) - 1, 0, -1)
    )
    drops = {
        drop: f"{place}/{each}.d/{drop}"
        for each in reversed([*names, "service"])
        for place in reversed(_PLACES)
        for drop in system.names(f"{place}/{each}.d")
        if drop.endswith(".conf")
    }
    for drop in sorted(drops):
        yield drops[drop]


def _refused(name: str, shown: str) -> Finding:
    """Report a filter that refuses the call, with the drop-in that helps."""
    return Finding(
        "sandbox.unit",
        "finding",
        f"the systemd unit {name} refuses memfd_secret",
        shown,
        "Without SystemCallErrorNumber= the process that calls it is killed "
        "with SIGSYS; with it the call fails.",
        f"`systemctl edit {name}` and write `[Service]` and, on the next "
        f"line, `SystemCallFilter={_CALL}`; then `systemctl restart {name}`.",
    )


CHECKS = (unit,)
