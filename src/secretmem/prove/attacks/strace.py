"""Watch the victim's system calls with strace while it writes the secret."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from typing import TYPE_CHECKING

from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.reading import seen
from secretmem.prove.stage import read_all
from secretmem.prove.tools import missing


if TYPE_CHECKING:
    from secretmem.prove.stage import Stage, VictimHandle


def run(stage: Stage, kind: str) -> Cell:
    """Attach strace, let the victim write, and read what strace printed."""
    log = stage.directory / f"strace-{kind}"
    with stage.victim(kind) as victim, victim.opened() as span:
        words = ["strace", "-p", str(victim.pid), "-o", str(log)]
        watcher = subprocess.Popen(
            [*words, "-s", "256", "-e", "trace=write"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            _wait_until_attached(watcher)
            _write(victim, span.address, span.size)
        finally:
            watcher.send_signal(signal.SIGINT)
            watcher.communicate()
    how = f"strace -p {victim.pid} while it calls write(2)"
    return seen(kind, victim.needle, log.read_bytes(), how)


def _wait_until_attached(watcher: subprocess.Popen[bytes]) -> None:
    """Wait for strace to say that it is attached."""
    if watcher.stderr is None:
        raise CannotRunError("strace has no standard error")
    said = watcher.stderr.readline().decode("utf-8", "replace").strip()
    if "attached" not in said:
        raise CannotRunError(said or "strace did not attach")


def _write(victim: VictimHandle, address: int, size: int) -> None:
    """Let the victim write its open secret to a pipe."""
    reader, writer = os.pipe()
    try:
        victim.call("plain_write", writer, address=address, size=size)
        os.close(writer)
        writer = -1
        read_all(reader)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)


ATTACK = Attack(
    name="strace",
    title="strace: arguments of write(2)",
    layer=Layer.KERNEL,
    explanation=(
        "strace shows the bytes that a process passes to its system calls. "
        "It fetches them with process_vm_readv and PTRACE_PEEKDATA, so for "
        "a secret it can print the address only."
    ),
    run=run,
    requires=functools.partial(missing, "strace"),
    standard=False,
)
