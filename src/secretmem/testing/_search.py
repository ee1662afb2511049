"""The fake's `SearchBase`: finds pieces of values, for `secretmem.redact`."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, NoReturn

from secretmem.exceptions import UnavailableError


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.testing._secret import SecretBase


# As in the compiled part: bytes of a piece, how many of them differ.
_WINDOW = 8
_DISTINCT = 5


class SearchBase:
    """Some forms of values, in ordinary memory."""

    def __init__(self, *keys: tuple[str, SecretBase]) -> None:
        self._forms: list[tuple[int, str, bytes]] = []
        for number, (kind, secret) in enumerate(keys):
            if kind != "raw":
                _unavailable(f"no search for keys of kind {kind!r}")
            for shape, form in _shapes(secret._export()):  # noqa: SLF001 - the fake's own
                self._forms.append((number, shape, form))
        self._windows = {
            form[at : at + _WINDOW]: (index, at)
            for index, (_, _, form) in enumerate(self._forms)
            for at in range(len(form) - _WINDOW + 1)
            if len(set(form[at : at + _WINDOW])) >= _DISTINCT
        }

    def forms(self) -> list[tuple[int, str, str, int, int]]:
        """Give what is looked for, without its bytes."""
        return [
            (number, "key", shape, len(form), _WINDOW)
            for number, shape, form in self._forms
        ]

    def scan(
        self, fd: int, start: int, size: int, /
    ) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]], int]:
        """Look in a file: hits as (form, place, bytes)."""
        data = os.pread(fd, size, start)
        hits, at = [], 0
        while at + _WINDOW <= len(data):
            found = self._windows.get(data[at : at + _WINDOW])
            if found is None:
                at += 1
                continue
            index, inside = found
            form = self._forms[index][2]
            length = _WINDOW
            while (
                at + length < len(data)
                and inside + length < len(form)
                and data[at + length] == form[inside + length]
            ):
                length += 1
            hits.append((index, start + at, length))
            at += length
        return hits, [], start + len(data)

    def registers(self, thread: int, /) -> NoReturn:
        """Have none."""
        del thread
        _unavailable("no look at registers")

    def close(self) -> None:
        """Forget all forms."""
        self._forms.clear()
        self._windows.clear()


def _shapes(value: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", value
    yield "reversed", value[::-1]
    yield "hex", value.hex().encode()
    yield "hex", value.hex().upper().encode()
    for before in range(3):
        # The characters at the borders depend on what is beside.
        text = base64.b64encode(bytes(before) + value)
        text = text[-(-before * 8 // 6) :].rstrip(b"=")[: len(value) * 8 // 6]
        yield "base64", text
        yield "base64url", text.translate(bytes.maketrans(b"+/", b"-_"))


def _unavailable(what: str) -> NoReturn:
    raise UnavailableError(
        f"the fake backend has {what}",
        reason="fake",
        remedy="Run this test on a machine with memfd_secret(2).",
    )
