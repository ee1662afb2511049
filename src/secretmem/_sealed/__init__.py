"""
Values in ordinary memory as ciphertext, under a key in secret memory.

Secret memory is scarce (RLIMIT_MEMLOCK).  A sealed value takes none of it
until it is opened.  ``_sealer`` makes and opens ciphertext, ``_values`` and
``_store`` are the objects that hold it, ``_file`` and ``_mapping`` keep it.
"""

from __future__ import annotations

from secretmem._sealed._store import SealedStore
from secretmem._sealed._values import SealedSecret


__all__ = ("SealedSecret", "SealedStore")
