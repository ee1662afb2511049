"""
Encrypt standard input to standard output, for `bench.files`.

``python -m bench.stream encrypt | decrypt | pyca-encrypt``.  The key is known:
what is written is worth nothing.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


_PIECE = 1 << 20
_KEY = bytes(32)


def _ours(name: str, given: BinaryIO, wanted: BinaryIO) -> None:
    from secretmem import Secret
    from secretmem.crypto import stream

    work = {"encrypt": stream.encrypt, "decrypt": stream.decrypt}[name]
    with Secret.from_bytes(_KEY) as key:
        work(key, given, wanted)


def _pyca(given: BinaryIO, wanted: BinaryIO) -> None:
    """Use its context that takes pieces; its AEAD objects take all at once."""
    from cryptography.hazmat.primitives.ciphers import (
        Cipher,
        algorithms,
        modes,
    )

    nonce = os.urandom(12)
    work = Cipher(algorithms.AES(_KEY), modes.GCM(nonce)).encryptor()
    wanted.write(nonce)
    while piece := given.read(_PIECE):
        wanted.write(work.update(piece))
    wanted.write(work.finalize() + work.tag)


def main() -> None:
    """Do what the argument says."""
    given, wanted = sys.stdin.buffer, sys.stdout.buffer
    if sys.argv[1] == "pyca-encrypt":
        _pyca(given, wanted)
    else:
        _ours(sys.argv[1], given, wanted)


if __name__ == "__main__":
    main()
