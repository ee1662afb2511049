"""Attack a running SSH agent, by all ways that read another process."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
from typing import TYPE_CHECKING, NamedTuple

from secretmem.prove import kinds, linux, maps
from secretmem.prove.attack import (
    Attack,
    CannotRunError,
    Cell,
    Layer,
    Outcome,
)
from secretmem.prove.needle import Needle
from secretmem.prove.tools import missing, run_tool
from secretmem.prove.tracer import Tracer


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from secretmem.prove.agents import Agent
    from secretmem.prove.stage import Stage

_YAMA = "/proc/sys/kernel/yama/ptrace_scope"
# An address that every process could have: the right is looked at first.
_ANYWHERE = 0x10000
# Pages of secret memory that are tried one by one; then all memory is.
_PAGES = 64
_SECONDS = 60.0


class Way(NamedTuple):
    """What one way to read brought; ``code`` is the errno of a refusal."""

    name: str
    found: bool
    code: str = ""

    def __str__(self) -> str:
        got = "the key" if self.found else self.code or "not the key"
        return f"{self.name}: {got}"


def run(stage: Stage, kind: str) -> Cell:
    """Attack as the same user, and if this is root, as root too."""
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(from_child)
        os.close(to_child)
        _be_same_user(stage, kind, to_parent, from_parent)
    os.close(to_parent)
    os.close(from_parent)
    try:
        told = json.loads(_line(from_child) or '{"error": "it ended"}')
        if "error" in told:
            raise CannotRunError(told["error"])
        as_root: list[Way] = []
        if os.geteuid() == 0:
            needle = Needle(told["needle"].encode("ascii"))
            as_root = list(_ways(told["pid"], needle, told["address"]))
            as_root.append(_search(told["pid"], needle))
    finally:
        os.close(to_child)
        os.close(from_child)
        os.waitpid(pid, 0)
    return _cell(kind, [Way(*way) for way in told["ways"]], as_root)


def _be_same_user(
    stage: Stage, kind: str, to_parent: int, from_parent: int
) -> None:
    """Attack without capabilities; keep the agent until the parent ends."""
    from secretmem.prove.agents import Agent

    try:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        linux.drop_capabilities()
        with Agent(kind, stage.directory) as agent:
            told = {
                "pid": agent.pid,
                "needle": agent.needle.text.decode("ascii"),
                "address": agent.address,
                "ways": list(_all_ways(agent, stage.directory)),
            }
            os.write(to_parent, json.dumps(told).encode() + b"\n")
            os.read(from_parent, 1)
    except BaseException as error:  # noqa: BLE001 - a forked child must not return
        text = f"{type(error).__name__}: {error}"
        os.write(to_parent, json.dumps({"error": text}).encode() + b"\n")
    os._exit(0)


def _line(fd: int) -> bytes:
    """Read a line, or what comes in time."""
    data = b""
    while not data.endswith(b"\n"):
        if not select.select([fd], [], [], _SECONDS)[0]:
            break
        piece = os.read(fd, 1 << 16)
        if not piece:
            break
        data += piece
    return data


def _all_ways(agent: Agent, directory: Path) -> Iterator[Way]:
    yield from _ways(agent.pid, agent.needle, agent.address)
    # It would be no parent of the agent, as Yama demands.
    if missing("gcore") is None and not os.path.exists(_YAMA):  # noqa: PTH110 - /proc is not a path to compute with
        yield _gcore(agent, directory)


def _ways(pid: int, needle: Needle, address: int | None) -> Iterator[Way]:
    """Try each call where the key is, or may be."""
    addresses = [address] if address else _secret_pages(pid)
    size = len(needle.text)
    yield _tried("ptrace", needle, lambda: _peeked(pid, addresses, size))
    yield _tried(
        "/proc/PID/mem", needle, lambda: _from_file(pid, addresses, size)
    )
    yield _tried(
        "process_vm_readv",
        needle,
        lambda: [linux.read_process(pid, at, size) for at in addresses],
    )


def _secret_pages(pid: int) -> list[int]:
    try:
        found = list(maps.pages(maps.secret_mappings(pid)))
    except OSError:
        found = []
    return found[:_PAGES] or [_ANYWHERE]


def _tried(name: str, needle: Needle, read: Callable[[], list[bytes]]) -> Way:
    try:
        data = read()
    except OSError as error:
        return Way(name, found=False, code=linux.error_name(error.errno))
    return Way(name, found=needle.find(b"".join(data)) is not None)


def _peeked(pid: int, addresses: list[int], size: int) -> list[bytes]:
    with Tracer(pid) as tracer:
        return [
            tracer.peek(word)
            for at in addresses
            for word in range(at, at + size, 8)
        ]


def _from_file(pid: int, addresses: list[int], size: int) -> list[bytes]:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [os.pread(memory, size, at) for at in addresses]
    finally:
        os.close(memory)


def _search(pid: int, needle: Needle) -> Way:
    """Search all memory, copies included."""
    result = maps.scan(pid, needle.find_any_form)
    return Way(f"all memory, {result.searched >> 10} KiB", bool(result.find))


def _gcore(agent: Agent, directory: Path) -> Way:
    prefix = directory / "agent"
    said = run_tool(["gcore", "-a", "-o", str(prefix), str(agent.pid)])
    core = prefix.with_name(f"agent.{agent.pid}")
    if not core.exists():
        code = "EPERM" if "not permitted" in said else "no file"
        return Way("gcore", found=False, code=code)
    data = core.read_bytes()
    core.unlink()
    return Way("gcore", found=agent.needle.find_any_form(data) is not None)


def _cell(kind: str, same: list[Way], root: list[Way]) -> Cell:
    evidence = f"as the same user: {', '.join(map(str, same))}"
    if root:
        evidence += f"; as root: {', '.join(map(str, root))}"
    found = [way for way in (*same, *root) if way.found]
    if kind == kinds.ORDINARY and len(found) < len(same) + len(root):
        # Each way has a control of its own.
        return Cell(kind, Outcome.BROKEN, evidence)
    if found:
        return Cell(kind, Outcome.LEAKED, evidence)
    codes = [way.code for way in same if way.code]
    if codes:
        return Cell(kind, Outcome.REFUSED, evidence, codes[0])
    return Cell(kind, Outcome.ABSENT, evidence)


def requires() -> str | None:
    """Return why no agent can be run here."""
    for name in ("cryptography", "click"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
    return None


ATTACK = Attack(
    name="agent",
    title="a running SSH agent",
    layer=Layer.PROCESS,
    explanation=(
        "A key is added to a running `secretmem agent` and signs. Then a "
        "process of the same user, without capabilities, tries to trace it, "
        "to read its memory and to make gcore write it to a file; as root, "
        "all of its memory is searched for the key too. The control is an "
        "agent that keeps the same kind of key in ordinary memory."
    ),
    run=run,
    requires=requires,
)
