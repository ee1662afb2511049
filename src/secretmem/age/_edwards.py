"""
From an Ed25519 public key to the X25519 one of the same private key.

Arithmetic on public numbers (RFC 7748, section 4.1, and RFC 8032, section
5.1.3): nothing here is secret.
"""

from __future__ import annotations

from secretmem.exceptions import InvalidKey


_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SIZE = 32


def montgomery(public: bytes) -> bytes:
    """
    Return the 32-byte u coordinate of an Ed25519 public key.

    Raises:
        InvalidKey: It is not 32 bytes that are a point of the curve.
    """
    y = int.from_bytes(public, "little") & (2**255 - 1)
    # u = (1 + y) / (1 - y), which y = 1, the neutral element, has not.
    if len(public) != _SIZE or y >= _P or y == 1 or not _on_curve(y):
        raise InvalidKey("the ssh-ed25519 key is no point of its curve")
    u = (1 + y) * pow(1 - y, -1, _P) % _P
    return u.to_bytes(_SIZE, "little")


def _on_curve(y: int) -> bool:
    """Tell whether x^2 = (y^2 - 1) / (d y^2 + 1) has a solution."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return square == 0 or pow(square, (_P - 1) // 2, _P) == 1
