"""
Fork while other threads are inside of an operation, on its stack.

Argument: the gate.  The exit status tells how it went.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
import warnings

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import secretmem
from secretmem import ForkError, Secret, keys
from secretmem.crypto import pbkdf2


ROUNDS = 5_000_000
SALT = b"salt" * 4
LEAST = 3
forked = 0

warnings.simplefilter("ignore", DeprecationWarning)
secretmem.configure(gate=sys.argv[1])  # type: ignore[arg-type]  # one of two
given = keys.RSAPrivateKey.generate(2048, inherit=True)
own = keys.MLDSA65PrivateKey.generate()
password = Secret.from_bytes(b"password")
derived: list[Secret] = []
done = threading.Event()


def derive() -> None:
    """Be inside of one operation for seconds; again, if few forks met it."""
    while not derived or forked < LEAST:
        derived.append(pbkdf2(password, salt=SALT, iterations=ROUNDS))
    done.set()


def sign_by_rsa() -> bytes:
    """Use the inherited key."""
    return given.sign(b"m", padding.PKCS1v15(), hashes.SHA256())


def sign() -> None:
    """Enter and leave, on stacks of two sizes and with the heap."""
    while not done.is_set():
        sign_by_rsa()
        own.sign(b"m")


def child() -> None:
    """Whatever was inside is not here: there is no stack and no heap."""
    now = secretmem.posture()
    assert (now.stacks_in_use, now.heap_blocks) == (0, 0)
    for _ in range(2):
        given.public_key().verify(
            sign_by_rsa(), b"m", padding.PKCS1v15(), hashes.SHA256()
        )
    try:
        own.sign(b"m")
    except ForkError:
        pass
    else:
        raise AssertionError("a private key was used in the child")
    with keys.MLDSA65PrivateKey.generate() as fresh:
        fresh.sign(b"m")
    with Secret.random(32) as secret:
        assert not secret.matches(b"x")


def forks() -> None:
    """Fork until the derivation has ended."""
    global forked  # noqa: PLW0603 - a counter
    while not done.is_set():
        pid = os.fork()
        if pid == 0:
            # An exit as a program's, with its handlers and destructors.
            child()
            sys.exit(0)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        forked += 1


def main() -> None:
    """Fork beside both threads; their operations must end well."""
    threads = [threading.Thread(target=each) for each in (derive, sign)]
    for thread in threads:
        thread.start()
    while secretmem.posture().stacks_in_use == 0:
        time.sleep(0.001)
    forks()
    assert forked >= LEAST
    for thread in threads:
        thread.join()
    right = hashlib.pbkdf2_hmac("sha256", b"password", SALT, ROUNDS)
    assert all(each.matches(right) for each in derived)
    given.close()
    own.close()
    now = secretmem.posture()
    assert (now.stacks_in_use, now.heap_blocks) == (0, 0)


main()
