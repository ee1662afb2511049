"""Locked bytes of a program that signs, under a limit."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519


# A limit that is enough for one key.
LEAST = 64 << 10


def run(limit: int, uid: int) -> dict[str, int]:
    """
    Make a secret, load a key, sign; then in a thread and in a worker more.

    Under a limit of ``LEAST`` there is no room for the latter two. The worker
    is a forked process with a key that it inherited. Bytes are what the
    allocator of the process has locked.
    """
    # What that user could not import any more.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    from bench.child import become_unprivileged
    from secretmem import Secret, keys

    plain = ed25519.Ed25519PrivateKey.generate()
    pem = plain.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    become_unprivileged(limit, uid)
    first = Secret.random(32)
    figures = {"first_secret": _locked()}
    key = keys.load_pem(Secret.from_bytes(pem))
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    plain.public_key().verify(key.sign(b"m"), b"m")
    figures["first_signature"] = _locked()
    first.close()
    if limit <= LEAST:
        return figures
    # Ed25519 is too quick to give the interpreter up: no two meet inside.
    slower = keys.EllipticCurvePrivateKey.generate(ec.SECP256R1())
    before = _locked()
    _in_threads(slower)
    figures["second_thread"] = _locked() - before
    inherited = keys.load_pem(Secret.from_bytes(pem), inherit=True)
    assert isinstance(inherited, ed25519.Ed25519PrivateKey)
    return figures | _in_worker(inherited)


def _locked() -> int:
    import secretmem

    return secretmem.posture().locked_bytes


def _in_worker(key: ed25519.Ed25519PrivateKey) -> dict[str, int]:
    """Sign in a forked process; the bytes that it has of its own."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        key.sign(b"m")
        os.write(theirs, json.dumps({"worker": _locked()}).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        told: dict[str, int] = json.loads(answer.read())
    os.waitpid(pid, 0)
    return told


def _in_threads(key: ec.EllipticCurvePrivateKey) -> None:
    """Sign in two threads, often enough to meet inside."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    def work() -> None:
        for _ in range(1000):
            key.sign(b"m", ec.ECDSA(SHA256()))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
