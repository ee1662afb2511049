"""
Run in a guest by the project's own Python: what the package does there.

It prints the same ``name=value`` lines as the probe.  Nothing of the
laboratory is imported, and /proc/kcore is read by other code than the
probe's, so that a mistake in one does not hide in both.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import pathlib
import resource
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import secretmem


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PAGE = 4096
MARKER = b"inside the guest"
# ELF-64, see elf(5): offsets and layouts of what is read from /proc/kcore.
HEAD = struct.Struct("<16xHHIQQQIHHHHHH")
PART = struct.Struct("<IIQQQQQQ")
LOADED = 1
KERNEL_TEXT = 0xFFFFFFFF00000000
SMALL_LIMIT = 64 << 10
SECRETMEM = pathlib.Path(sys.executable).with_name("secretmem")


def say(name: str, value: object) -> None:
    """Print one answer."""
    print(f"{name}={value}", flush=True)


def parts(kcore: int) -> Iterator[tuple[int, int, int]]:
    """Yield physical address, length and file offset of the direct map."""
    head = HEAD.unpack(os.pread(kcore, HEAD.size, 0))
    table, size, number = head[4], head[8], head[9]
    for index in range(number):
        raw = os.pread(kcore, PART.size, table + index * size)
        kind, _, offset, virtual, physical, _, length, _ = PART.unpack(raw)
        if (
            kind == LOADED
            and physical != (1 << 64) - 1
            and virtual < KERNEL_TEXT
        ):
            yield physical, length, offset


def frame(address: int) -> int:
    """Return the physical address behind a virtual one; 0 if none is."""
    with pathlib.Path("/proc/self/pagemap").open("rb", buffering=0) as table:
        raw = os.pread(table.fileno(), 8, address // PAGE * 8)
    entry = int.from_bytes(raw, "little")
    return (entry & ((1 << 55) - 1)) * PAGE if entry >> 63 else 0


def through_kernel(address: int) -> bytes:
    """Read the page at *address* through the kernel's direct map."""
    wanted = frame(address)
    kcore = os.open("/proc/kcore", os.O_RDONLY)
    try:
        for physical, length, offset in parts(kcore):
            if wanted and physical <= wanted < physical + length:
                return os.pread(kcore, PAGE, offset + wanted - physical)
    finally:
        os.close(kcore)
    return b""


def judge(page: bytes) -> str:
    """Say what a page read through the kernel holds."""
    if MARKER in page:
        return "marker"
    return "zeros" if page == bytes(PAGE) else f"{len(page)} other bytes"


def looked_at(memory: mmap.mmap | secretmem.SecretArea) -> str:
    """Mark a page and say what the kernel's own mapping shows of it."""
    page = (ctypes.c_char * PAGE).from_buffer(memory)
    ctypes.memmove(page, MARKER, len(MARKER))
    return judge(through_kernel(ctypes.addressof(page)))


def kcore() -> None:
    """Look at a SecretArea and at ordinary memory through the kernel."""
    say("ordinary", looked_at(mmap.mmap(-1, PAGE)))
    say("secret", looked_at(secretmem.SecretArea(PAGE)))


def disk_offered() -> str:
    """Say whether the kernel offers hibernation now."""
    states = pathlib.Path("/sys/power/state").read_text(encoding="utf-8")
    return "offered" if "disk" in states.split() else "not offered"


def tool(*words: str) -> tuple[int, dict[str, Any]]:
    """Run the command line program; return its exit status and its JSON."""
    done = subprocess.run(
        [SECRETMEM, *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        found = json.loads(done.stdout)
    return done.returncode, found


def hibernation() -> None:
    """Hold a SecretArea; ask the kernel, and ask `secretmem ps` who it is."""
    say("before", disk_offered())
    with secretmem.SecretArea(PAGE):
        say("held", disk_offered())
        _, census = tool("ps")
        blockers = census.get("hibernation", {}).get("blocked_by", [])
        say("named", "yes" if os.getpid() in blockers else "no")
    say("released", disk_offered())


def in_child(work: Callable[[], str]) -> str:
    """Return what *work* says in a forked child, or the signal it died of."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, work().encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return told if status == 0 else f"died of {status}"


def exhausted() -> str:
    """Make secrets of a page each under a limit of 64 KiB until it ends."""
    held = []
    try:
        for _ in range(1000):
            held.append(  # noqa: PERF401 - the list must live on
                secretmem.Secret.random(PAGE),
            )
    except secretmem.LimitError:
        return "LimitError"
    return f"{len(held)} secrets without an error"


def limit() -> None:
    """Say how the package behaves at the limit, without one and with."""

    def lowered() -> str:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (SMALL_LIMIT, SMALL_LIMIT))
        # Kernels that charge processes exempt root.
        os.setuid(1000)
        return exhausted()

    def unlimited() -> str:
        free = resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (free, free))
        return exhausted()

    say("small", in_child(lowered))
    say("unlimited", in_child(unlimited))


def first_use() -> str:
    """Make a secret; return "ok", or the reason why there is none."""
    try:
        with secretmem.Secret.random(32):
            return "ok"
    except secretmem.UnavailableError as error:
        named = "secretmem.enable=1" in error.remedy
        return f"{error.reason}, remedy {'names' if named else 'lacks'} switch"


def doctor() -> None:
    """Say what `secretmem doctor` finds about the call and the accounting."""
    status, report = tool("doctor")
    say("doctor", status)
    for finding in report.get("findings", []):
        if finding["check"] == "kernel.call":
            say("doctor_call", finding["status"])
        if "CVE-2026-93243" in finding["what"]:
            say("doctor_accounting", finding["status"])


def main() -> None:
    """Answer everything this kernel lets be asked."""
    use = in_child(first_use)
    say("use", use)
    doctor()
    if use != "ok":
        return
    processor = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    say("ospke", "yes" if "ospke" in processor.split() else "no")
    say("gate", secretmem.posture().gate)
    say("backend", secretmem.posture().backend)
    kcore()
    limit()
    # Last: in a fresh process of its own, since this one's arena stays.
    subprocess.run([sys.executable, __file__, "hibernation"], check=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["hibernation"]:
        hibernation()
    else:
        main()
