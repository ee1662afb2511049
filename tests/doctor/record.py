"""
Print what the checks read on this machine, as a tree for the tests.

    python tests/doctor/record.py [--config FILE] [--pid PID]... > TREE

Run under another kernel:

    lab/run-python 6.12 -- python tests/doctor/record.py --config FILE

FILE is the configuration of that kernel, which a lab guest does not have in
its /boot.  With --pid the tree has what ``secretmem ps`` reads of a process.
Long files are cut down to the lines that a check reads.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from secretmem.doctor import System


FILES = (
    "proc/version",
    "proc/version_signature",
    "proc/cmdline",
    "proc/sys/kernel/osrelease",
    "proc/sys/kernel/core_pattern",
    "proc/sys/kernel/perf_event_paranoid",
    "proc/sys/kernel/yama/ptrace_scope",
    "proc/swaps",
    "proc/1/cgroup",
    "proc/self/cgroup",
    "sys/module/secretmem/parameters/enable",
    "sys/kernel/security/lsm",
    "sys/kernel/security/lockdown",
    "sys/kernel/kexec_crash_loaded",
    "sys/power/state",
    "sys/power/disk",
)

# Path: the lines of it that a check reads.
CUT = {
    "proc/self/status": r"Name|Uid|Seccomp|VmLck|CapEff|NoNewPrivs",
    "proc/self/limits": r"Max locked|Max core",
    "proc/meminfo": r"DirectMap",
    "proc/vmstat": r"direct_map",
}

OPTIONS = (
    "SECRETMEM",
    "HIBERNATION",
    "READ_ONLY_THP_FOR_FS",
    "RODATA_FULL_DEFAULT_ENABLED",
)


def main() -> None:
    """Print the tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--pid", type=int, action="append", default=[])
    options = parser.parse_args()
    config = options.config
    system = System()
    outcome = system.outcome
    facts = {
        "machine": system.machine,
        "outcome": f"{outcome.call} {outcome.map} {outcome.touch}".strip(),
        "regime": system.regime,
        "dumpable": system.dumpable,
    }
    for name, value in facts.items():
        sys.stdout.write(f"@{name} {value}\n")
    for path in FILES:
        _print(path, system.read(path))
    for path, lines in CUT.items():
        _print(path, _cut(system.read(path), rf"^(?:{lines})"))
    cpu = system.read("proc/cpuinfo") or ""
    words = dict.fromkeys(re.findall(r"\b(?:lm|pku|ospke|poe)\b", cpu))
    _print("proc/cpuinfo", f"flags : {' '.join(words)}")
    for name in ("kernel", "secretmem"):
        if system.exists(f"sys/module/{name}"):
            _print(f"sys/module/{name}/present", "")
    for pid in options.pid:
        _process(system, pid)
    if options.pid:
        _print("proc/stat", _cut(system.read("proc/stat"), "btime"))
    if config is not None:
        wanted = "|".join(OPTIONS)
        text = config.read_text("utf-8")
        _print(
            f"boot/config-{system.release()}",
            _cut(text, rf"(?:# )?CONFIG_(?:{wanted})[= ]"),
        )


def _process(system: System, pid: int) -> None:
    """Print what is read of one process; secretmem mappings only."""
    place = f"proc/{pid}"
    status = _cut(system.read(f"{place}/status"), "Name|Uid")
    _print(f"{place}/status", status)
    for name in ("comm", "stat"):
        _print(f"{place}/{name}", system.read(f"{place}/{name}"))
    for name in ("maps", "smaps"):
        text = system.read(f"{place}/{name}") or ""
        parts = re.split(
            r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE
        )
        kept = [part for part in parts if "/secretmem" in part]
        _print(f"{place}/{name}", "".join(kept))
    for entry in Path("/", place, "fd").iterdir():
        sys.stdout.write(f"== {place}/fd/{entry.name} -> {entry.readlink()}\n")


def _cut(text: str | None, pattern: str) -> str | None:
    """Keep the lines that match, the first of equal kinds of cpuinfo."""
    if text is None:
        return None
    lines = [line for line in text.splitlines() if re.match(pattern, line)]
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _print(path: str, text: str | None) -> None:
    """Print one file, nothing for one that cannot be read."""
    if text is not None:
        sys.stdout.write(f"== {path}\n")
        for line in text.splitlines():
            sys.stdout.write(f"{line.rstrip()}\n")


if __name__ == "__main__":
    main()
