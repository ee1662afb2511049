"""
What a scan looks for: a planted value and the shapes it may take.

A shape is a byte string. Any `WINDOW` consecutive bytes of it count as a
hit, since code moves memory in pieces of a register's size. To look for
every such piece, it is enough to look for `_CHUNK` bytes at every
``WINDOW - _CHUNK + 1``-th place, of which each piece contains one whole, and
to extend what is found to both sides.
"""

from __future__ import annotations

import base64
import secrets
import string
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


WINDOW = 8
"""Consecutive bytes that make a hit: a general register's size."""

_CHUNK = 4

_LETTERS = (string.ascii_letters + string.digits).encode()

FORMS = ("plain", "reversed", "base64", "base64url", "hex")
"""Shapes that `Needle.shape` knows."""


def random_text(size: int) -> bytes:
    """Make ``size`` letters and digits: a value that is also text."""
    return bytes(secrets.choice(_LETTERS) for _ in range(size))


@dataclass(frozen=True)
class Shape:
    """One byte string to look for."""

    name: str
    data: bytes
    # The memory may hold it many times in a row.
    repeated: bool = False

    @cached_property
    def windows(self) -> frozenset[bytes]:
        """All pieces of `WINDOW` bytes."""
        data = self._unrolled(WINDOW - 1)
        places = range(len(data) - WINDOW + 1)
        return frozenset(data[at : at + WINDOW] for at in places)

    @cached_property
    def chunks(self) -> tuple[tuple[int, bytes], ...]:
        """Places and contents of the chunks that find every piece."""
        step = WINDOW - _CHUNK + 1
        data = self._unrolled(WINDOW + _CHUNK)
        most = len(self.data) + (step if self.repeated else 1 - _CHUNK)
        places = range(0, most, step)
        return tuple((at, data[at : at + _CHUNK]) for at in places)

    @property
    def everywhere(self) -> Iterator[tuple[int, bytes]]:
        """All chunks with their places."""
        data = self._unrolled(_CHUNK - 1)
        for at in range(len(data) - _CHUNK + 1):
            yield at, data[at : at + _CHUNK]

    def _unrolled(self, more: int) -> bytes:
        if not self.repeated:
            return self.data
        times = more // len(self.data) + 2
        return (self.data * times)[: len(self.data) + more]

    def extend(self, buffer: memoryview, at: int, chunk: int) -> range:
        """
        Widen a found chunk to all that fits around it.

        Args:
            buffer: The memory in which it was found.
            at: Where it lies in there.
            chunk: Where it lies in the shape.

        Returns:
            The bytes of ``buffer`` that belong to the shape.
        """
        start, stop = at, at + _CHUNK
        while start and self._is(buffer[start - 1], chunk + start - at - 1):
            start -= 1
        while stop < len(buffer) and self._is(buffer[stop], chunk + stop - at):
            stop += 1
        return range(start, stop)

    def _is(self, byte: int, place: int) -> bool:
        if self.repeated:
            return self.data[place % len(self.data)] == byte
        return 0 <= place < len(self.data) and self.data[place] == byte


@dataclass(frozen=True)
class Needle:
    """A planted value, in the shapes that matter for one scan."""

    value: bytes
    forms: tuple[str, ...] = ("plain",)
    repeated: bool = False

    @classmethod
    def random(
        cls,
        *forms: str,
        size: int = 32,
        repeated: bool = False,
    ) -> Needle:
        """Make a fresh value of ``size`` bytes."""
        return cls(random_text(size), forms or ("plain",), repeated)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of `forms`."""
        return tuple(self.shape(form) for form in self.forms)

    @cached_property
    def windows(self) -> frozenset[bytes]:
        """All pieces of `WINDOW` bytes, of all shapes."""
        return frozenset().union(*(shape.windows for shape in self.shapes))

    def texts(self) -> dict[str, bytes]:
        """Give what a payload may name."""
        names = ("plain", "base64", "base64url", "hex")
        return {name: encoded(self.value, name) for name in names}

    def shape(self, form: str) -> Shape:
        """Give the value in one of `FORMS`."""
        return Shape(form, encoded(self.value, form), self.repeated)


def encoded(value: bytes, form: str) -> bytes:
    """Write a value as one of `FORMS`, without padding."""
    match form:
        case "plain":
            return value
        case "reversed":
            return value[::-1]
        case "base64":
            return base64.b64encode(value).rstrip(b"=")
        case "base64url":
            return base64.urlsafe_b64encode(value).rstrip(b"=")
        case "hex":
            return value.hex().encode()
    raise ValueError(f"no such form: {form}")
