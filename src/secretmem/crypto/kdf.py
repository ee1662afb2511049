"""
Derivation of keys from a Secret.

``hkdf`` is for key material, ``argon2id``, ``scrypt`` and ``pbkdf2`` are for
passwords.  Password and result stay in secret memory.  The work memory of
``argon2id`` and ``scrypt``, 16 MiB and more, is ordinary memory by design: no
limit on locked memory leaves room for it.  It is a mapping of its own, absent
from core files and forked children, locked where that leaves room for
Secrets, and wiped at the end; while the function runs, whoever can read the
process can read it.  All three give the interpreter up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret, _policy


if TYPE_CHECKING:
    from secretmem import _native
else:
    _native = _policy.bind()

# Bytes of work memory that are allowed unless told otherwise.
MAX_MEMORY = 256 << 20


def hkdf(
    secret: Secret,
    length: int,
    *,
    salt: bytes = b"",
    info: bytes = b"",
    algorithm: str = "sha256",
    name: str | None = None,
) -> Secret:
    """
    Derive a key of ``length`` bytes by HKDF (RFC 5869).

    Args:
        secret: Input keying material, uniformly random or a shared secret;
            not a password.
        length: Bytes, at most 255 times the hash's output.
        salt: Not secret; may be empty.
        info: What the key is for: another value gives another key.
        algorithm: ``"sha256"``, ``"sha384"`` or ``"sha512"``.
        name: Of the result, which is kept as ``secret`` is.

    Raises:
        InvalidKey: ``length`` is too long.
    """
    return _native.hkdf(Secret, algorithm, secret, salt, info, length, name)


def argon2id(  # noqa: PLR0913 - RFC 9106's inputs, by keyword
    password: Secret,
    *,
    salt: bytes,
    length: int = 32,
    iterations: int = 3,
    lanes: int = 4,
    memory_cost: int = 65536,
    secret: Secret | None = None,
    associated_data: bytes = b"",
    max_memory: int = MAX_MEMORY,
    name: str | None = None,
) -> Secret:
    """
    Derive a key from a password by Argon2id, version 1.3 (RFC 9106).

    The defaults are the RFC's second recommended option.
    Blocks for 50 ms or more, on purpose; other threads run meanwhile.

    Args:
        password: The password.
        salt: 8 bytes or more, 16 are recommended; not secret.
        length: Bytes of the result, 4 or more.
        iterations: Passes over the memory.
        lanes: Degree of parallelism, which changes the result; the lanes are
            computed one after the other here.
        memory_cost: Work memory in KiB, at least 8 for each lane.
        secret: A key beside the password, also called pepper.
        associated_data: At most 32 bytes.
        max_memory: Bytes of work memory that are allowed; raise it for
            parameters that you trust.
        name: Of the result, which is kept as ``password`` is.

    Raises:
        InvalidKey: Parameters that RFC 9106 does not have, or that need more
            than ``max_memory``.
        OSError: The work memory cannot be had.
    """
    return _native.argon2id(
        Secret,
        password,
        (salt, secret, associated_data),
        (memory_cost, iterations, lanes),
        max_memory,
        length,
        name,
    )


def scrypt(
    password: Secret,
    *,
    salt: bytes,
    n: int,
    r: int = 8,
    p: int = 1,
    length: int = 32,
    max_memory: int = MAX_MEMORY,
    name: str | None = None,
) -> Secret:
    """
    Derive a key from a password by scrypt (RFC 7914).

    Blocks for 50 ms or more, on purpose; other threads run meanwhile.

    Args:
        password: The password.
        salt: Not secret.
        n: Cost, a power of two above 1; 2**17 for interactive use today.
        r: Block size in units of 128 bytes.
        p: Parallelism; computed one after the other here.
        length: Bytes of the result.
        max_memory: Bytes of work memory that are allowed; it takes
            ``128 * r * (n + p + 1)``.
        name: Of the result, which is kept as ``password`` is.

    Raises:
        InvalidKey: Parameters that RFC 7914 does not have, or that need more
            than ``max_memory``.
        OSError: The work memory cannot be had.
    """
    return _native.scrypt(
        Secret, password, salt, (n, r, p), max_memory, length, name
    )


def pbkdf2(
    password: Secret,
    *,
    salt: bytes,
    iterations: int,
    length: int = 32,
    algorithm: str = "sha256",
    name: str | None = None,
) -> Secret:
    """
    Derive a key from a password by PBKDF2 with HMAC (RFC 8018).

    Blocks for 50 ms or more, on purpose; other threads run meanwhile.

    For files and protocols that ask for it; ``argon2id`` costs an attacker
    more.

    Args:
        password: The password.
        salt: Not secret.
        iterations: 1 to 2**32 - 1.
        length: Bytes of the result.
        algorithm: ``"sha256"``, ``"sha384"``, ``"sha512"`` or ``"sha1"``.
        name: Of the result, which is kept as ``password`` is.

    Raises:
        InvalidKey: No iterations, or no length.
        OverflowError: More iterations than that.
    """
    return _native.pbkdf2(
        Secret, algorithm, password, salt, iterations, length, name
    )
