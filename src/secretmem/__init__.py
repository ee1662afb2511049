"""
Secret memory for Python, on memfd_secret(2).

How the package is laid out, in the direction in which it imports:

- ``_native`` is the compiled part: whatever touches secret bytes.
  ``_missing`` stands where it is absent; ``_backend`` tells which is used.
- ``exceptions``, ``_errors``, ``_availability``, ``_limits`` say what is
  wrong and what to do about it.
- ``_policy`` is what the program requires, ``_posture`` what it has,
  ``_harden`` what it gives up for more.
- ``_secret`` (with ``_sources``, ``_decoding``), ``_area`` and ``hazmat``
  are what programs use; ``crypto``, ``_keyring``, ``fernet``, ``keys`` and
  ``age`` use secrets in turn, ``_sealed`` keeps many.
- ``sources`` reads them from wherever they are kept.
- ``prove``, ``doctor``, ``ps`` and ``model`` are the programs, ``cli`` their
  command lines, ``testing`` the pytest plugin.

Importing the package does nothing but define where its names are: no
system call, no other import, no memory.  The first use does the rest.
"""

from __future__ import annotations


TYPE_CHECKING = False
if TYPE_CHECKING:
    from secretmem import handover, hazmat
    from secretmem._area import SecretArea, memfd_secret
    from secretmem._harden import Setting, harden
    from secretmem._keyring import KeyRing
    from secretmem._policy import configure
    from secretmem._posture import Posture, posture
    from secretmem._sealed import SealedSecret, SealedStore
    from secretmem._secret import Secret
    from secretmem.exceptions import (
        BorrowError,
        ClosedError,
        ConfigurationError,
        CopiedWarning,
        CryptoError,
        DamagedStoreError,
        DegradedWarning,
        ForkError,
        InvalidKey,
        KeyLimitError,
        LimitError,
        SecretmemError,
        SecretmemWarning,
        SourceError,
        UnavailableError,
        WrongKeyError,
    )
    from secretmem.handover import inherited

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
    "KeyRing",
    "LimitError",
    "Posture",
    "SealedSecret",
    "SealedStore",
    "Secret",
    "SecretArea",
    "SecretmemError",
    "SecretmemWarning",
    "Setting",
    "SourceError",
    "UnavailableError",
    "WrongKeyError",
    "build_info",
    "configure",
    "handover",
    "harden",
    "hazmat",
    "inherited",
    "memfd_secret",
    "posture",
    "trim",
)

_HOMES = {
    "Secret": "_secret",
    "SecretArea": "_area",
    "inherited": "handover",
    "memfd_secret": "_area",
    "KeyRing": "_keyring",
    "SealedSecret": "_sealed",
    "SealedStore": "_sealed",
    "Setting": "_harden",
    "harden": "_harden",
    "configure": "_policy",
    "Posture": "_posture",
    "posture": "_posture",
}


def build_info() -> dict[str, object]:
    """Say how the compiled part was built; it is part of a bug report."""
    from secretmem import _backend

    built: dict[str, object] = _backend.load().build_info()
    return built


def trim() -> int:
    """
    Give idle areas and windows back to the kernel; returns bytes.

    They are given back by themselves when there is more than one; this
    takes the last one too.
    """
    from secretmem import _policy

    freed: int = _policy.bind().trim()
    return freed


def __getattr__(name: str) -> object:
    """Find a public name at its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in ("handover", "hazmat"):
        return import_module(f"secretmem.{name}")
    home = import_module(f"secretmem.{_HOMES.get(name, 'exceptions')}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
