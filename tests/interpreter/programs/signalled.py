"""
Run every operation while a timer's signals arrive.

Arguments: "python" (handlers run in the interpreter), "c" (a handler of the
library handler.c, on a signal stack if there is one) or "fork" (the handler
forks); for how many seconds; that library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import time
import warnings

import secretmem
from secretmem import ForkError, Secret, hazmat


warnings.simplefilter("ignore")

WORD = b"  the word of 32 bytes in all.  "
LARGE = bytes(range(256)) * 100
seen = 0
# Seconds between signals.
PAUSES = {"python": 0.0005, "c": 0.0005, "fork": 0.01}

secret = Secret.from_bytes(WORD)
large = Secret.from_bytes(LARGE)
given = Secret.from_bytes(WORD, inherit=True)


def in_handler(*_: object) -> None:
    """Use secrets inside of a handler too, in any state of the others."""
    global seen  # noqa: PLW0603 - a counter
    seen += 1
    with Secret.from_bytes(b"handler") as own:
        assert own.matches(b"handler")
        with own.reveal() as view:
            assert bytes(view) == b"handler"
    assert secret.matches(WORD)
    signal.setitimer(signal.ITIMER_REAL, PAUSES["python"])


def fork_in_handler(*_: object) -> None:
    """Fork wherever the operation is."""
    global seen  # noqa: PLW0603 - a counter
    seen += 1
    pid = os.fork()
    if not pid:
        status = 3
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.alarm(600)
            status = 0 if given.matches(WORD) else 1
            try:
                secret.matches(WORD)
                status = 2
            except ForkError:
                pass
        finally:
            os._exit(status)
    if os.waitpid(pid, 0)[1]:
        os._exit(9)
    signal.setitimer(signal.ITIMER_REAL, PAUSES["fork"])


def operations() -> None:
    """Do everything once."""
    with Secret.from_bytes(LARGE) as one, Secret.random(100) as two:
        assert one == large
        assert one != two
    assert secret.matches(WORD.decode())
    assert hazmat.export_bytes(large[::-1]) == LARGE[::-1]
    assert (secret + given).matches(WORD * 2)
    assert secret.strip().matches(WORD.strip())
    assert Secret.from_hex(LARGE.hex()).matches(LARGE)
    assert Secret.from_base64("d29yZA==").matches(b"word")
    with secret.reveal() as view, large.reveal() as other:
        assert bytes(view) + bytes(other) == WORD + LARGE
    with Secret.from_bytes(b"change") as changing:
        with changing.reveal(writable=True) as view:
            view[:] = b"twice!"
        assert changing.matches(b"twice!")
    with tempfile.TemporaryFile() as file:
        large.write_to(file)
        file.seek(0)
        assert Secret.from_fd(file, strip=True).matches(LARGE.strip())
    os.environ["SECRETMEM_SIGNAL"] = "value"
    assert Secret.from_env("SECRETMEM_SIGNAL").matches("value")
    assert secretmem.posture().live == 3
    secretmem.trim()


def main(kind: str, seconds: str, library: str) -> None:
    """Repeat under a storm of signals."""
    global seen  # noqa: PLW0603 - a counter
    handler_c = ctypes.CDLL(library)
    if kind == "c":
        assert handler_c.take(signal.SIGALRM) == 0
    else:
        handler = in_handler if kind == "python" else fork_in_handler
        signal.signal(signal.SIGALRM, handler)
    # A handler of Python's asks for the next signal when it ends; on a slow
    # machine they would pile up in each other.
    pause = PAUSES[kind]
    signal.setitimer(signal.ITIMER_REAL, pause, pause if kind == "c" else 0)
    until = time.monotonic() + float(seconds)
    rounds = 0
    while time.monotonic() < until or rounds < 3 or seen <= 3:
        operations()
        if kind == "c":
            seen = handler_c.count()
        rounds += 1
    PAUSES.update(dict.fromkeys(PAUSES, 0))
    signal.setitimer(signal.ITIMER_REAL, 0)
    now = secretmem.posture()
    assert (now.live, now.views_open, now.stacks_in_use) == (3, 0, 0), now
    assert seen > 3, seen
    sys.stdout.write(f"{rounds} {seen}\n")


main(*sys.argv[1:])
