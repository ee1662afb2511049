"""Read vectors, and judge what came of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes


if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).with_name("data")

Row = dict[str, Any]

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA-1": hashes.SHA1(),  # noqa: S303 - what the vectors have
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def load(name: str) -> list[Row]:
    """Read a file."""
    rows: list[Row] = json.loads((DATA / f"{name}.json").read_bytes())
    assert rows, "an empty file tests nothing"
    return rows


def data(row: Row, *fields: str) -> list[bytes]:
    """Give the bytes of some fields in hexadecimal digits."""
    return [bytes.fromhex(row[field]) for field in fields]


def judge(
    rows: list[Row],
    answer: Callable[[Row], object],
    refusals: type[Exception] | tuple[type[Exception], ...],
    expected: dict[str, int],
) -> None:
    """
    Run all vectors and say which ones came out wrong.

    Args:
        rows: The vectors.
        answer: Whether the answer is that of the vector; what it raises of
            ``refusals`` is a refusal.
        refusals: The errors that may be; another one ends the test.
        expected: How many vectors were answered and how many refused, by
            what the vector is: ``"valid"`` must be answered, ``"invalid"``
            refused, ``"acceptable"`` may be either, but no wrong answer.
    """
    wrong: list[object] = []
    seen: dict[str, int] = {}
    for row in rows:
        kind = row.get("result", "valid")
        seen[kind] = seen.get(kind, 0) + 1
        try:
            right = bool(answer(row))
        except refusals:
            right = kind != "valid"
        else:
            right = right and kind != "invalid"
        if not right:
            wrong.append({k: row[k] for k in row if k in _NAMES})
    assert not wrong, wrong
    assert seen == expected, seen


_NAMES = ("id", "kind", "file", "hash", "curve", "desc", "result")
