"""X25519 (RFC 7748) on a Secret, where no key object is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem import Secret, _policy


if TYPE_CHECKING:
    from secretmem import _native
else:
    _native = _policy.bind()


def x25519(
    private: Secret, public: bytes, *, name: str | None = None
) -> Secret:
    """
    Return the 32-byte shared secret of X25519.

    It is not uniformly random: derive keys from it with ``hkdf``.

    Args:
        private: The 32-byte private key.
        public: The 32-byte public key of the other side.
        name: Of the result, which is kept as ``private`` is.

    Raises:
        InvalidKey: Another length, or the result would be all zero (RFC
            7748, section 6.1): such a public key gives zeros to everybody.
    """
    return _native.x25519(Secret, private, public, name)
