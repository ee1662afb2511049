"""
What can go wrong, in one tree.

::

    SecretmemError               base, never raised itself
    ├── UnavailableError         no memfd_secret here: .reason, .remedy
    ├── LimitError               also MemoryError: .need, .have, .holders
    ├── ConfigurationError       configure() came too late or contradicts
    ├── ClosedError              also ValueError: use after close
    ├── BorrowError              also BufferError: a view is in the way
    ├── ForkError                a private Secret used in a forked child
    ├── SourceError              a source cannot be had: .reason, .remedy
    └── CryptoError              base of:
        ├── InvalidKey           also ValueError: key, nonce or length
        ├── KeyLimitError        the key was used as often as is safe
        ├── WrongKeyError        a store was sealed under another key
        ├── DamagedStoreError    also ValueError: a sealed value or file
        ├── InvalidTag           also pyca's: nothing more is said
        └── InvalidSignature     also pyca's
    SecretmemWarning             base of the warnings, a UserWarning
    ├── DegradedWarning          less than memfd_secret, chosen by name
    └── CopiedWarning            the source left a copy that stays

A wrong type or length from the caller is ``TypeError`` or ``ValueError``;
a descriptor's errors are ``OSError``.  Messages show sizes, names and errno
names, never content.
"""

from __future__ import annotations


__all__ = (
    "BorrowError",
    "ClosedError",
    "ConfigurationError",
    "CopiedWarning",
    "CryptoError",
    "DamagedStoreError",
    "DegradedWarning",
    "ForkError",
    "InvalidKey",
    "KeyLimitError",
    "LimitError",
    "SecretmemError",
    "SecretmemWarning",
    "SourceError",
    "UnavailableError",
    "WrongKeyError",
)


class SecretmemError(Exception):
    """Base of the package's errors; never raised itself."""


class UnavailableError(SecretmemError):
    """
    The kernel or the policy does not give secret memory.

    ``reason`` is a short stable word such as ``"switch-off"``; ``remedy``
    says what to do about it.
    """

    def __init__(self, message: str, *, reason: str, remedy: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy


class LimitError(SecretmemError, MemoryError):
    """
    RLIMIT_MEMLOCK, descriptors or memory are exhausted.

    ``need`` and ``have`` are bytes (``have`` is None where the kernel does
    not tell); ``holders`` are the processes of this user that hold secret
    memory, as far as they can be seen.
    """

    def __init__(
        self,
        message: str,
        *,
        need: int,
        have: int | None,
        holders: tuple[object, ...] = (),
    ) -> None:
        super().__init__(message)
        self.need = need
        self.have = have
        self.holders = holders


class ConfigurationError(SecretmemError):
    """``configure()`` came after the first use, or contradicts itself."""


class ClosedError(SecretmemError, ValueError):
    """The Secret, view or area was closed."""


class BorrowError(SecretmemError, BufferError):
    """A view, or a buffer made from one, is in the way."""


class ForkError(SecretmemError):
    """A private Secret was used in a forked child."""


class SourceError(SecretmemError):
    """
    A secret cannot be had from where it should come from.

    ``source`` is its text form, which is public.  ``reason`` is one of
    ``"syntax"`` (it is not written as it should be), ``"missing"``,
    ``"denied"``, ``"loop"`` (symbolic links lead in a circle), ``"empty"``,
    ``"content"`` (too large, not in the encoding, not in the document),
    ``"command"`` (it failed), ``"unavailable"`` (a library is missing) and
    ``"failed"`` (another error of the system).  ``remedy`` says what to do
    about it, and may be empty.
    """

    def __init__(
        self, message: str, *, source: str, reason: str, remedy: str = ""
    ) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source
        self.reason = reason
        self.remedy = remedy

    def in_one(self) -> str:
        """Return the message and the remedy in one line."""
        return f"{self}; {self.remedy}" if self.remedy else str(self)


class CryptoError(SecretmemError):
    """
    Base of the errors of cryptography.

    ``InvalidTag`` and ``InvalidSignature`` are in `secretmem.crypto.errors`:
    they are cryptography's own classes too, where that package is there.
    """


class InvalidKey(CryptoError, ValueError):  # noqa: N818 - as pyca's InvalidTag
    """A key, nonce or length that the algorithm does not take."""


class KeyLimitError(CryptoError):
    """The key was used as often as its algorithm allows: use a new one."""


class WrongKeyError(CryptoError):
    """The store was sealed under another key than the one that was given."""


class DamagedStoreError(CryptoError, ValueError):
    """A sealed value, or a file of them, is not what was sealed."""


class SecretmemWarning(UserWarning):
    """Base of the package's warnings."""


class DegradedWarning(SecretmemWarning):
    """Secrets are kept by something less than memfd_secret(2)."""


class CopiedWarning(SecretmemWarning):
    """The source of a secret left a copy in ordinary memory."""
