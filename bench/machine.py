"""Facts about the machine without which a figure says nothing."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from bench.workers import Configuration


def facts(
    found: list[Configuration], versions: dict[str, str]
) -> dict[str, Any]:
    """Gather them; ``versions`` is what the workers said they are."""
    import secretmem

    cpu = _cpuinfo()
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return {
        "cpu": cpu.get("model name", platform.processor() or "unknown"),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in cpu.get("flags", "").split(),
        "protection_keys": "pku" in versions,
        "kernel": f"{platform.system()} {platform.release()}",
        "memlock": None if limit == resource.RLIM_INFINITY else limit,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "load": round(os.getloadavg()[0], 2),
        "build": secretmem.build_info(),
        "versions": versions,
        "absent": {c.key: c.why_not for c in found if c.why_not},
    }


def _cpuinfo() -> dict[str, str]:
    """Read the first processor's entry; its keys differ by architecture."""
    first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
