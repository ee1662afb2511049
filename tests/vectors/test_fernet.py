"""Fernet against the tokens of its specification."""

from __future__ import annotations

import base64
from datetime import datetime

import pytest

from secretmem import Secret, _native
from secretmem.fernet import Fernet, InvalidToken
from vectors.cases import Row, load


pytestmark = pytest.mark.needs_secretmem


def _fernet(row: Row) -> Fernet:
    return Fernet(Secret.from_bytes(row["secret"].encode()))


def _now(row: Row) -> int:
    return int(datetime.fromisoformat(row["now"]).timestamp())


def _rows(use: str, count: int) -> list[Row]:
    rows = [row for row in load("fernet") if row["use"] == use]
    assert len(rows) == count
    return rows


def test_a_token_is_made() -> None:
    """With the initialisation vector of the vector, which else is random."""
    for row in _rows("generate", 1):
        secret = Secret.from_base64(row["secret"].encode(), urlsafe=True)
        raw = _native.fernet_seal(
            secret, _now(row), bytes(row["iv"]), row["src"].encode()
        )
        assert base64.urlsafe_b64encode(raw) == row["token"].encode()


def test_a_token_is_read() -> None:
    """Within its time."""
    for row in _rows("verify", 1):
        fernet, now = _fernet(row), _now(row)
        opened = fernet.decrypt_at_time(row["token"], row["ttl_sec"], now)
        assert opened == row["src"].encode()


def test_a_wrong_token_is_refused() -> None:
    """Damaged, too short, expired, of the future, with a wrong padding."""
    for row in _rows("invalid", 8):
        fernet, now = _fernet(row), _now(row)
        with pytest.raises(InvalidToken):
            fernet.decrypt_at_time(row["token"], row["ttl_sec"], now)
