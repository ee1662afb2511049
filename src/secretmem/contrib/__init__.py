"""
Adapters: other libraries with keys that stay in secret memory.

Each module needs the library that it is named after (``aws`` and ``scram``
need none) and says so when it is imported without it.
"""

from __future__ import annotations


__all__ = ()
