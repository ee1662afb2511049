"""From pyca's arguments to the digest that is signed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.hashes import HashAlgorithm


if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from typing_extensions import Buffer

NAMES = ("sha1", "sha256", "sha384", "sha512")


def hash_name(algorithm: hashes.HashAlgorithm) -> str:
    """Return the name of a hash that private keys work with."""
    if algorithm.name not in NAMES:
        raise UnsupportedAlgorithm(
            f"signing works with {', '.join(NAMES)}, not {algorithm.name}"
        )
    return algorithm.name


def digest_of(
    data: Buffer,
    algorithm: (hashes.HashAlgorithm | utils.Prehashed | utils.NoDigestInfo),
) -> tuple[str, bytes]:
    """Return the hash's name and the digest of ``data``."""
    if isinstance(algorithm, utils.Prehashed):
        name = hash_name(algorithm._algorithm)  # noqa: SLF001 - pyca's own code reads it
        digest = memoryview(data).tobytes()
        if len(digest) != algorithm.digest_size:
            raise ValueError(
                f"the digest has {algorithm.digest_size} bytes, "
                f"not {len(digest)}"
            )
        return name, digest
    if not isinstance(algorithm, HashAlgorithm):
        raise UnsupportedAlgorithm("signing needs a hash")
    name = hash_name(algorithm)
    return name, hashlib.new(name, data).digest()
