"""
One-time passwords of a Secret: HOTP (RFC 4226) and TOTP (RFC 6238).

`HOTP` and `TOTP` have the methods of ``cryptography``'s classes.  The key
does not leave secret memory, and ``verify`` compares there: the password
that would be right is nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from secretmem import Secret, _policy
from secretmem.exceptions import CryptoError, InvalidKey


if TYPE_CHECKING:
    from typing import Protocol

    from secretmem import _native

    class Named(Protocol):
        """A hash of ``cryptography``'s."""

        @property
        def name(self) -> str:
            """Its name."""
else:
    _native = _policy.bind()

try:
    from cryptography.hazmat.primitives.twofactor import (
        InvalidToken as _PycaToken,
    )
except ImportError:
    _PycaToken = Exception  # type: ignore[misc,assignment]  # nothing to be a subclass of

__all__ = ("HOTP", "TOTP", "InvalidToken")

_ALGORITHMS = ("sha1", "sha256", "sha512")
# RFC 4226, section 4, requirement 6: the key has at least 128 bits.
_SHORTEST_KEY = 16
_DIGITS = (6, 7, 8)


class InvalidToken(CryptoError, _PycaToken):  # noqa: N818 - pyca's name
    """The one-time password is not the right one."""


class HOTP:
    """
    One-time passwords by counter (RFC 4226).

    Args:
        key: 16 bytes or more; ``Secret.from_base32`` reads what
            authenticators show.
        length: Digits of a password: 6, 7 or 8.
        algorithm: ``"sha1"``, which is what authenticators have,
            ``"sha256"`` or ``"sha512"``, or ``cryptography``'s object of it.
        enforce_key_length: False takes shorter keys, down to a byte.

    Raises:
        TypeError: The key is not a Secret.
        InvalidKey: It is too short.
        ValueError: Another length or algorithm.
    """

    __slots__ = ("_algorithm", "_key", "_length")

    _TYPE = "hotp"

    def __init__(
        self,
        key: Secret,
        length: int = 6,
        algorithm: str | Named = "sha1",
        *,
        enforce_key_length: bool = True,
    ) -> None:
        if not isinstance(key, Secret):
            raise TypeError(
                f"the key is a Secret, not {type(key).__name__}: "
                "Secret.from_base32(text) makes one of what is shown"
            )
        least = _SHORTEST_KEY if enforce_key_length else 1
        if len(key) < least:
            raise InvalidKey(
                f"the key has {least} bytes or more, not {len(key)}"
            )
        if length not in _DIGITS:
            raise ValueError(f"a password has 6, 7 or 8 digits, not {length}")
        name = algorithm if isinstance(algorithm, str) else algorithm.name
        if name not in _ALGORITHMS:
            raise ValueError(f"algorithm is one of {', '.join(_ALGORITHMS)}")
        self._key = key
        self._length = length
        self._algorithm = name

    def generate(self, counter: int) -> bytes:
        """
        Return the password of a counter, ``length`` digits in ASCII.

        Raises:
            OverflowError: The counter is not between 0 and 2**64 - 1.
        """
        number = _native.hotp(
            self._algorithm, self._key, counter, self._length
        )
        return b"%0*d" % (self._length, number)

    def verify(self, hotp: bytes, counter: int) -> None:
        """
        Compare a password in constant time, inside secret memory.

        How many tries there may be, and that a password is used once, is
        for the caller to see to (RFC 4226, section 7).

        Raises:
            InvalidToken: It is not the password of this counter.
        """
        if not _native.hotp_verify(
            self._algorithm, self._key, counter, self._length, hotp
        ):
            raise InvalidToken("the one-time password does not fit")

    def get_provisioning_uri(
        self, account_name: str, counter: int, issuer: str | None
    ) -> Secret:
        """
        Return the ``otpauth:`` URI for an authenticator, as a Secret.

        It holds the key: ``hazmat.export_str`` gives the text to show.

        Args:
            account_name: Whose key it is.
            counter: The first one.
            issuer: Who asks for the passwords.
        """
        return self._uri(account_name, issuer, {"counter": counter})

    def _uri(
        self, account: str, issuer: str | None, more: dict[str, int]
    ) -> Secret:
        label = quote(account)
        after: dict[str, int | str] = {"algorithm": self._algorithm.upper()}
        if issuer:
            label = f"{quote(issuer)}:{label}"
            after["issuer"] = issuer
        start = f"otpauth://{self._TYPE}/{label}?digits={self._length}&secret="
        end = "&" + urlencode(after | more)
        with (
            self._key._encode("base32") as text,  # noqa: SLF001 - of this package
            start.encode() + text as beginning,
        ):
            return beginning + end.encode()

    def close(self) -> None:
        """Close the key."""
        self._key.close()


class TOTP(HOTP):
    """
    One-time passwords by time (RFC 6238).

    Args:
        key: As for `HOTP`.
        length: As for `HOTP`.
        algorithm: As for `HOTP`.
        time_step: Seconds for which a password is right.
        enforce_key_length: As for `HOTP`.

    Raises:
        ValueError: A time step below 1, or as `HOTP`.
        TypeError, InvalidKey: As `HOTP`.
    """

    __slots__ = ("_time_step",)

    _TYPE = "totp"

    def __init__(
        self,
        key: Secret,
        length: int = 6,
        algorithm: str | Named = "sha1",
        time_step: int = 30,
        *,
        enforce_key_length: bool = True,
    ) -> None:
        super().__init__(
            key, length, algorithm, enforce_key_length=enforce_key_length
        )
        if time_step < 1:
            raise ValueError(f"a time step is 1 or more, not {time_step}")
        self._time_step = time_step

    def generate(self, time: float) -> bytes:
        """Return the password of a time, in seconds since 1970."""
        return super().generate(int(time / self._time_step))

    def verify(self, totp: bytes, time: float) -> None:
        """
        Compare a password in constant time, inside secret memory.

        Clocks differ: who allows the step before and after calls it for
        each (RFC 6238, section 5.2).

        Raises:
            InvalidToken: It is not the password of this time.
        """
        super().verify(totp, int(time / self._time_step))

    def get_provisioning_uri(  # type: ignore[override]  # as pyca's, without a counter
        self, account_name: str, issuer: str | None
    ) -> Secret:
        """Return the ``otpauth:`` URI as a Secret; see `HOTP`."""
        return self._uri(account_name, issuer, {"period": self._time_step})
