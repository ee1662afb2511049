"""
An SSH agent (RFC 9987) whose private keys live in secret memory.

The data flows in this order: ``sockets`` and ``life`` start it, ``loop``
waits, ``server`` accepts, ``connection`` takes frames apart, ``session``
decides and acts, ``identities`` holds the keys.  ``client`` talks to this
agent and to any other.
"""

from __future__ import annotations
