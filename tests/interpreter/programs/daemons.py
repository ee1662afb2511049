"""
End while daemon threads are in the middle of every operation.

Argument: what they do.  Output and exit status tell how it went.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from secretmem import Secret, keys
from secretmem.crypto import pbkdf2


if TYPE_CHECKING:
    from collections.abc import Callable


secret = Secret.from_bytes(b"w" * 3000)
given = Secret.from_bytes(b"g" * 100, inherit=True)
reading, writing = os.pipe()
full, blocked = os.pipe()
os.set_blocking(blocked, False)
try:
    while True:
        os.write(blocked, bytes(65536))
except BlockingIOError:
    os.set_blocking(blocked, True)


def mixed() -> None:
    """Make, use and close."""
    while True:
        with Secret.from_bytes(b"x" * 50) as one, one + given as two:
            two.matches(b"y")
            with secret.reveal() as view:
                bytes(view)
            secret[::-2].close()


def waits_for_input() -> None:
    """Read a pipe that nobody writes to."""
    Secret.from_fd(reading)


def waits_for_room() -> None:
    """Write to a pipe that is full."""
    secret.write_to(blocked)


def writes() -> None:
    """Write again and again: the interpreter is given up each time."""
    null = os.open("/dev/null", os.O_WRONLY)
    while True:
        secret.write_to(null)


def reads() -> None:
    """Read again and again."""
    while True:
        Secret.from_file("/proc/self/maps").close()


def derives() -> None:
    """Sit inside of one operation, on its stack, for longer than this runs."""
    pbkdf2(secret, salt=b"salt" * 4, iterations=1 << 30)


def makes_rsa_keys() -> None:
    """Make keys, each of which takes a tenth of a second."""
    while True:
        keys.RSAPrivateKey.generate(2048).close()


def signs() -> None:
    """Sign again and again, on stacks of two sizes and with the heap."""
    rsa = keys.RSAPrivateKey.generate(2048)
    pq = keys.MLDSA65PrivateKey.generate()
    while True:
        rsa.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
        pq.sign(b"m")


def holds_a_view() -> None:
    """Sit in a with block."""
    with secret.reveal() as view:
        time.sleep(1000)
        del view


WORK: dict[str, list[Callable[[], None]]] = {
    "mixed": [mixed],
    "input": [waits_for_input],
    "room": [waits_for_room],
    "writes": [writes],
    "reads": [reads],
    "view": [holds_a_view],
    "inside": [derives, makes_rsa_keys],
    "keys": [signs],
    "all": [mixed, waits_for_input, waits_for_room, writes, reads],
}


def main(kind: str, pause: str) -> None:
    """Start the threads and fall off the end."""
    for work in WORK[kind] * 2:
        threading.Thread(target=work, daemon=True).start()
    time.sleep(float(pause))


main(*sys.argv[1:])
