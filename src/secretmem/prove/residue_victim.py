"""
A program that uses a key by one library: ``residue_victim LIBRARY WHAT N FD``.

It reads the key from descriptor FD, uses it N times, then again and again
until it is told to stop, releases it, and says at each moment that it is
there, on standard output.  It goes on when a line comes in.  Beside the key
it holds a random value in plain sight, which each look must find.
"""

from __future__ import annotations

import gc
import os
import select
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux


if TYPE_CHECKING:
    from collections.abc import Callable


# Long enough that most of the time is spent in the operation, whatever the
# machine: a stop must be likely to meet it.
_MESSAGE = bytes(1 << 20)
_SHORT = bytes(64)
_NONCE = bytes(12)

# Bytes of the value in plain sight, and of a key at most.
CONTROL = 32
_MOST = 8192

# Uses between two questions whether to go on.
_ROUND = 20

ED25519, AES_GCM, RSA = "Ed25519", "AES-256-GCM", "RSA-2048"


class Holder:
    """A key in use by one library."""

    package: str
    use: Callable[[], object]
    """One signature or encryption."""

    def __init__(self, what: str, fd: int) -> None:
        """Load the key; what was read for that is dropped."""
        self.key: Any = None
        getattr(self, {ED25519: "ed25519", AES_GCM: "aes", RSA: "rsa"}[what])(
            fd
        )

    def release(self) -> None:
        """Drop the key, in the way of the library."""
        del self.use, self.key
        gc.collect()


class Secretmem(Holder):
    """This package."""

    package = "secretmem"

    def ed25519(self, fd: int) -> None:
        """Sign 64 bytes."""
        from secretmem import Secret, _native

        with Secret.from_fd(fd) as seed:
            key = _native.Ed25519Base.from_seed(seed, inherit=None)
        self.key, self.use = key, lambda: key.sign(_SHORT)

    def aes(self, fd: int) -> None:
        """Encrypt 1 MiB."""
        from secretmem import Secret
        from secretmem.crypto.aead import AESGCM

        key = Secret.from_fd(fd)
        cipher = AESGCM(key)
        self.key = key
        self.use = lambda: cipher.encrypt(_NONCE, _MESSAGE, None)

    def rsa(self, fd: int) -> None:
        """Sign by PKCS#1 v1.5."""
        from secretmem import Secret, _native

        with Secret.from_fd(fd) as encoded:
            key = _native.KeyBase.load(encoded, None, inherit=None)
        digest = bytes(32)
        self.key, self.use = key, lambda: key.sign_pkcs1("sha256", digest)

    def release(self) -> None:
        """Close the key."""
        self.key.close()
        super().release()


class Cryptography(Holder):
    """pyca's package, on OpenSSL."""

    package = "cryptography"

    def ed25519(self, fd: int) -> None:
        """Sign 64 bytes."""
        from cryptography.hazmat.primitives.asymmetric import ed25519

        load = ed25519.Ed25519PrivateKey.from_private_bytes
        self.key = key = load(os.read(fd, _MOST))
        self.use = lambda: key.sign(_SHORT)

    def aes(self, fd: int) -> None:
        """Encrypt 1 MiB."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.key = key = AESGCM(os.read(fd, _MOST))
        self.use = lambda: key.encrypt(_NONCE, _MESSAGE, None)

    def rsa(self, fd: int) -> None:
        """Sign by PKCS#1 v1.5."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, utils

        load = serialization.load_der_private_key
        self.key = key = load(os.read(fd, _MOST), None)
        digest, sha = bytes(32), utils.Prehashed(hashes.SHA256())
        pad = padding.PKCS1v15()
        self.use = lambda: key.sign(digest, pad, sha)  # type: ignore[call-arg,union-attr,arg-type]  # an RSA key


class PyNaCl(Holder):
    """libsodium."""

    package = "PyNaCl"

    def ed25519(self, fd: int) -> None:
        """Sign 64 bytes."""
        from nacl.signing import SigningKey

        self.key = key = SigningKey(os.read(fd, _MOST))
        self.use = lambda: key.sign(_SHORT)

    def aes(self, fd: int) -> None:
        """Encrypt 1 MiB."""
        from nacl.bindings import crypto_aead_aes256gcm_encrypt as encrypt

        self.key = key = os.read(fd, _MOST)
        self.use = lambda: encrypt(_MESSAGE, None, _NONCE, key)


HOLDERS: dict[str, type[Holder]] = {
    cls.package: cls for cls in (Secretmem, Cryptography, PyNaCl)
}


def offers(library: str, what: str) -> bool:
    """Tell whether a library has that operation."""
    name = {ED25519: "ed25519", AES_GCM: "aes", RSA: "rsa"}[what]
    return hasattr(HOLDERS[library], name)


def version(library: str) -> str | None:
    """Give the version of an installed library."""
    if library == "secretmem":
        from secretmem import _native

        return str(_native.build_info()["version"])
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _say(moment: str) -> None:
    """Say that a moment is there, and wait."""
    os.write(1, f"{moment}\n".encode())
    os.read(0, 1)


def _loop(use: Callable[[], object]) -> None:
    """Use the key until a line comes in."""
    os.write(1, b"in use\n")
    while not select.select([0], [], [], 0)[0]:
        for _ in range(_ROUND):
            use()
    os.read(0, 1)


def main() -> int:
    """Live through the moments of a key."""
    library, what, uses, fd = sys.argv[1:]
    linux.invite_attackers()
    control = os.read(int(fd), CONTROL)
    holder = HOLDERS[library](what, int(fd))
    os.close(int(fd))
    _say("loaded")
    for _ in range(int(uses)):
        holder.use()
    _say("used")
    _loop(holder.use)
    holder.release()
    _say("released")
    return 0 if control else 1


if __name__ == "__main__":
    sys.exit(main())
