"""Verdicts of cryptography, which are pyca's classes too where it is there."""

from __future__ import annotations

from secretmem.exceptions import CryptoError


try:
    from cryptography.exceptions import InvalidSignature as _PycaSignature
    from cryptography.exceptions import InvalidTag as _PycaTag
except ImportError:
    _PycaSignature = _PycaTag = Exception  # type: ignore[misc,assignment]  # nothing to be a subclass of


class InvalidTag(CryptoError, _PycaTag):  # noqa: N818 - pyca's name
    """The ciphertext, its key, nonce or associated data do not fit."""


class InvalidSignature(CryptoError, _PycaSignature):  # noqa: N818 - pyca's name
    """The signature or MAC does not fit the message."""
