"""
Fernet with its key in secret memory.

`Fernet` and `MultiFernet` have the interface of ``cryptography.fernet`` and
read and write the same tokens (github.com/fernet/spec).  For new data
`secretmem.KeyRing` is the better choice: it names its keys and has a longer
tag of what it authenticates.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from typing import TYPE_CHECKING

from secretmem import Secret, _policy, hazmat
from secretmem.crypto.errors import InvalidTag


if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

    from secretmem import _native
else:
    _native = _policy.bind()

try:
    from cryptography.fernet import InvalidToken as _PycaToken
except ImportError:
    _PycaToken = Exception  # type: ignore[misc,assignment]  # nothing to be a subclass of

__all__ = ("Fernet", "InvalidToken", "MultiFernet")

# The specification lets a token's clock be ahead by so many seconds.
_MAX_SKEW = 60
_KEY_SIZE = 32


class InvalidToken(InvalidTag, _PycaToken):
    """The token is damaged, expired, or of another key; no more is said."""


class Fernet:
    """
    Authenticated encryption of tokens under one key.

    Args:
        key: A Secret with the 32 raw bytes, or with their 44 characters of
            base64url, as `generate_key` of pyca gives them, or of base64.

    Raises:
        ValueError: The key has neither form.
    """

    __slots__ = ("_key",)

    def __init__(self, key: Secret) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key is a Secret, not {type(key).__name__}: "
                "Secret.from_bytes(key) or Secret.from_file(path) makes one"
            )
        self._key = key if len(key) == _KEY_SIZE else _decoded(key)

    @classmethod
    def generate_key(
        cls, *, name: str | None = None, inherit: bool | None = None
    ) -> Secret:
        """Make a key of 32 random bytes."""
        return Secret.random(_KEY_SIZE, name=name, inherit=inherit)

    def encrypt(self, data: Buffer) -> bytes:
        """Return a token for ``data``, with the time of now."""
        return self.encrypt_at_time(data, int(time.time()))

    def encrypt_at_time(self, data: Buffer, current_time: int) -> bytes:
        """Return a token with that time, in seconds since 1970."""
        iv = os.urandom(16)
        token = _native.fernet_seal(self._key, current_time, iv, data)
        return base64.urlsafe_b64encode(token)

    def decrypt(self, token: bytes | str, ttl: int | None = None) -> bytes:
        """
        Return the message; it lies in ordinary memory then.

        Args:
            token: The token.
            ttl: Refuse it when it is older than so many seconds.

        Raises:
            InvalidToken: Damaged, expired, of another key.
        """
        with self.decrypt_to_secret(token, ttl) as message:
            return hazmat.export_bytes(message)

    def decrypt_at_time(
        self, token: bytes | str, ttl: int, current_time: int
    ) -> bytes:
        """Return the message as if it were that time; see `decrypt`."""
        with self._open(token, ttl, current_time, None) as message:
            return hazmat.export_bytes(message)

    def decrypt_to_secret(
        self,
        token: bytes | str,
        ttl: int | None = None,
        *,
        name: str | None = None,
    ) -> Secret:
        """Return the message as a Secret; see `decrypt`."""
        return self._open(token, ttl, int(time.time()), name)

    def extract_timestamp(self, token: bytes | str) -> int:
        """Return the token's time, after a check that it is genuine."""
        raw = _raw(token)
        self._open_raw(raw, None).close()
        return int(_native.fernet_time(raw) or 0)

    def _open(
        self,
        token: bytes | str,
        ttl: int | None,
        current_time: int,
        name: str | None,
    ) -> Secret:
        raw = _raw(token)
        made = _native.fernet_time(raw)
        if made is None:
            raise InvalidToken
        if ttl is not None and (
            made + ttl < current_time or current_time + _MAX_SKEW < made
        ):
            raise InvalidToken
        return self._open_raw(raw, name)

    def _open_raw(self, raw: bytes, name: str | None) -> Secret:
        try:
            return _native.fernet_open(Secret, self._key, raw, name)
        except InvalidTag:
            raise InvalidToken from None


def _decoded(text: Secret) -> Secret:
    """Decode a key; as for pyca, ``+`` and ``/`` are ``-`` and ``_``."""
    for urlsafe in (True, False):
        try:
            key = Secret.from_base64(text, urlsafe=urlsafe)
        except ValueError:
            continue
        if len(key) == _KEY_SIZE:
            return key
        key.close()
    raise ValueError(
        f"a Fernet key is a Secret of {_KEY_SIZE} raw bytes or of their 44 "
        f"characters of base64url; this one has {len(text)} bytes and is "
        "neither"
    )


class MultiFernet:
    """
    Several keys: the first encrypts, all decrypt.

    Raises:
        ValueError: There is no key.
    """

    __slots__ = ("_fernets",)

    def __init__(self, fernets: Iterable[Fernet]) -> None:
        self._fernets = tuple(fernets)
        if not self._fernets:
            raise ValueError("MultiFernet needs at least one Fernet")
        for each in self._fernets:
            if not isinstance(each, Fernet):
                raise TypeError(
                    f"MultiFernet takes Fernet objects, not "
                    f"{type(each).__name__}: Fernet(key) makes one"
                )

    def encrypt(self, msg: Buffer) -> bytes:
        """Return a token of the first key."""
        return self._fernets[0].encrypt(msg)

    def encrypt_at_time(self, msg: Buffer, current_time: int) -> bytes:
        """Return a token of the first key with that time."""
        return self._fernets[0].encrypt_at_time(msg, current_time)

    def rotate(self, msg: bytes | str) -> bytes:
        """Encrypt a token's message anew under the first key, same time."""
        with self.decrypt_to_secret(msg) as message:
            made = _native.fernet_time(_raw(msg)) or 0
            with message.reveal() as view:
                return self._fernets[0].encrypt_at_time(view, made)

    def decrypt(self, msg: bytes | str, ttl: int | None = None) -> bytes:
        """Return the message; see `Fernet.decrypt`."""
        with self.decrypt_to_secret(msg, ttl) as message:
            return hazmat.export_bytes(message)

    def decrypt_to_secret(
        self, msg: bytes | str, ttl: int | None = None
    ) -> Secret:
        """Return the message as a Secret; see `Fernet.decrypt`."""
        for fernet in self._fernets:
            try:
                return fernet.decrypt_to_secret(msg, ttl)
            except InvalidToken:
                continue
        raise InvalidToken


def _raw(token: bytes | str) -> bytes:
    if not isinstance(token, (bytes, str)):
        raise TypeError("a token is bytes or str")
    try:
        return base64.urlsafe_b64decode(token)
    except (binascii.Error, ValueError):
        raise InvalidToken from None
