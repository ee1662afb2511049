"""
From one program to the next in the same process (execve(2)).

Only that gives all secret memory back. What is to survive are descriptors:
the sockets, the clients' connections, and a file in memory with the sealed
keys. The number of the process stays.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from secretmem._limits import count_descriptors, mapped_bytes
from secretmem.agent.sealing import Box


if TYPE_CHECKING:
    from collections.abc import Iterable

# Until the next program can take them, and while they are being handed over.
SIGNALS = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
OPTION = "--asleep"
# Rehearsal: the option's value in place of a descriptor.
NOTHING = "-"
_STANDARD = 2


def block() -> None:
    """Let signals wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def unblock() -> None:
    """Let signals come."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def command(value: str) -> list[str]:
    """Return the command line of the program that sleeps."""
    flags = ["-P"]
    if sys.flags.isolated:
        flags = ["-I"]
    else:
        flags += ["-E"] * sys.flags.ignore_environment
        flags += ["-s"] * sys.flags.no_user_site
    program = ("-m", "secretmem.cli.main", "agent", OPTION, value)
    return [sys.executable, *flags, *program]


def become(box: Box) -> None:
    """
    Become the program that sleeps; it gets the box.

    Raises:
        OSError: That failed; nothing has changed.
    """
    # Its name is seen in /proc/PID/fd.
    fd = os.memfd_create("agent-asleep", 0)
    kept = list(_descriptors(box.outside))
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(box.written())
        for each in kept:
            os.set_inheritable(each, True)  # noqa: FBT003 - by position only
        block()
        words = command(str(fd))
        os.execv(words[0], words)  # noqa: S606 - ourselves
    except OSError:
        unblock()
        os.close(fd)
        for each in kept:
            if each > _STANDARD:
                os.set_inheritable(each, False)  # noqa: FBT003 - as above
        raise


def take(fd: int) -> Box:
    """
    Read what `become` wrote, and close all doors that it opened.

    Raises:
        BoxError: It is another version's.
        OSError: There is no such descriptor.
    """
    with open(fd, "rb") as file:
        file.seek(0)
        box = Box.read(file.read())
    for each in _descriptors(box.outside):
        if each > _STANDARD:
            os.set_inheritable(each, False)  # noqa: FBT003 - by position only
    return box


def _descriptors(outside: dict[str, Any]) -> Iterable[int]:
    """Give the descriptors that survive."""
    sockets = outside["sockets"]
    single = (outside["inhibitor"], outside["parent"])
    for fd in (sockets["main"], sockets["extra"], *single):
        if fd is not None:
            yield fd
    yield from outside["logs"]
    yield from (each["fd"] for each in outside["clients"])


def holds_secret_memory() -> bool:
    """Tell whether a mapping or a descriptor of this process is secret."""
    # Descriptors that cannot be counted (None) count as some.
    return (
        mapped_bytes("/proc/self/maps") > 0
        or count_descriptors("/proc/self/fd") != 0
    )
