"""Derivation of keys from a Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret, _policy


if TYPE_CHECKING:
    from secretmem import _native
else:
    _native = _policy.bind()


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
