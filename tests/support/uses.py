"""Every use of a secret's content, for tests of when it is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from secretmem import Secret, hazmat


if TYPE_CHECKING:
    from collections.abc import Callable


def _reveal(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


def _writable(secret: Secret) -> bytes:
    with secret.reveal(writable=True) as view:
        return bytes(view)


def _write(secret: Secret) -> bytes:
    reading, writing = os.pipe()
    try:
        secret.write_to(writing)
        return os.read(reading, 1 << 16)
    finally:
        os.close(reading)
        os.close(writing)


def _other(secret: Secret) -> bytes:
    with Secret.from_bytes(b"") as empty, empty + secret as same:
        return hazmat.export_bytes(same)


def _equal(secret: Secret) -> bytes:
    data = hazmat.export_bytes(secret)
    with Secret.from_bytes(data) as other:
        assert secret == other
    return data


def _matches(secret: Secret) -> bytes:
    data = hazmat.export_bytes(secret)
    assert secret.matches(data)
    return data


# Each gives the content of a secret without white space at its ends that
# fits a pipe.
USES: dict[str, Callable[[Secret], Any]] = {
    "export": hazmat.export_bytes,
    "reveal": _reveal,
    "writable": _writable,
    "write": _write,
    "slice": lambda secret: hazmat.export_bytes(secret[:]),
    "step": lambda secret: hazmat.export_bytes(secret[::-1][::-1]),
    "sum": lambda secret: hazmat.export_bytes(secret + b""),
    "sum, other side": lambda secret: hazmat.export_bytes(b"" + secret),
    "sum of secrets": _other,
    "strip": lambda secret: hazmat.export_bytes(secret.strip()),
    "equal": _equal,
    "matches": _matches,
}
