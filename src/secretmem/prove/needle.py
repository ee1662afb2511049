"""
The needle: a random marker, and the search for it.

A needle is 32 characters out of 62 (190 random bits), so that it is found by
a plain search, survives text and C strings, and does not occur by chance.
Besides the whole needle every piece of 8 bytes counts as a leak: one 64-bit
register or half a cache line is enough to give a key away.  A piece has 47
random bits; among 16 MiB of other memory one of the 25 pieces turns up by
chance once in 300,000 searches.
"""

from __future__ import annotations

import base64
import secrets
import string
from typing import NamedTuple


SIZE = 32
PIECE = 8

_ALPHABET = string.ascii_letters + string.digits


class Find(NamedTuple):
    """What a search found: its form, the offset and the length in bytes."""

    form: str
    offset: int
    length: int

    def __str__(self) -> str:
        """Say what was found, for evidence."""
        what = "the whole needle" if self.length >= SIZE else "a fragment"
        form = "" if self.form == "plain" else f" in {self.form}"
        return f"{what}{form} ({self.length} bytes) at offset {self.offset}"


class Needle:
    """
    A random marker of 32 bytes.

    ``text`` holds it.  ``repr`` does not show it, so that no message of the
    attacker carries it by accident.
    """

    def __init__(self, text: bytes | None = None) -> None:
        """Draw a new needle, or take ``text`` (for tests)."""
        self.text = text or "".join(
            secrets.choice(_ALPHABET) for _ in range(SIZE)
        ).encode("ascii")
        self._pieces = _pieces(self.text)

    def __repr__(self) -> str:
        """Return a text without the content."""
        return f"<Needle of {len(self.text)} bytes>"

    @property
    def forms(self) -> dict[str, bytes]:
        """Return the encodings that are searched for, by name."""
        return {
            "plain": self.text,
            "base64": base64.b64encode(self.text),
            "hex": self.text.hex().encode("ascii"),
            "reversed bytes": self.text[::-1],
        }

    def find(self, haystack: bytes | bytearray | memoryview) -> Find | None:
        """
        Look for the needle, then for any 8 consecutive bytes of it.

        Returns the first find, or None.  Takes about 15 ms a MiB.
        """
        data = bytes(haystack)
        at = data.find(self.text)
        if at >= 0:
            return Find("plain", at, len(self.text))
        for piece in self._pieces:
            at = data.find(piece)
            if at >= 0:
                return Find("plain", at, PIECE)
        return None

    def find_any_form(self, haystack: bytes) -> Find | None:
        """Look as `find` does, and for base64, hex and reversed bytes."""
        found = self.find(haystack)
        if found is not None:
            return found
        for form, text in self.forms.items():
            for piece in _pieces(text)[::PIECE]:
                at = haystack.find(piece)
                if at >= 0:
                    return Find(form, at, PIECE)
        return None

    def count(self, haystack: bytes) -> int:
        """Return how often the whole needle occurs."""
        return haystack.count(self.text)


def _pieces(text: bytes) -> list[bytes]:
    """Return every run of 8 bytes of ``text``, from the front."""
    return [text[i : i + PIECE] for i in range(len(text) - PIECE + 1)]
