"""
Become a program under the filter that a systemd unit would set.

    python confined.py "@system-service memfd_secret" PROGRAM ARGUMENT...

What the words do not name kills the process, as without
SystemCallErrorNumber=.  systemd itself says what its groups contain;
libseccomp, which it needs, knows the numbers.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys


_KILL_PROCESS = 0x80000000
_ALLOW = 0x7FFF0000


def expand(word: str) -> set[str]:
    """Return the names of the calls that a word of a filter stands for."""
    if not word.startswith("@"):
        return {word}
    listing = subprocess.run(
        ["systemd-analyze", "syscall-filter", word],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line.strip() for line in listing.splitlines()[1:]]
    words = [line for line in lines if line and not line.startswith("#")]
    return set().union(*map(expand, words))


def load(names: set[str]) -> None:
    """Let the calls pass that have a number here, from now on."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(_KILL_PROCESS))
    for name in sorted(names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            library.seccomp_rule_add(context, _ALLOW, number, 0)
    if library.seccomp_load(context):
        raise SystemExit("seccomp_load failed")


def main() -> None:
    """Load the filter and execute the program."""
    words, program, *arguments = sys.argv[1:]
    load(set().union(*map(expand, words.split())))
    os.execv(program, [program, *arguments])  # noqa: S606 - as the tests ask


if __name__ == "__main__":
    main()
