"""age files against the vectors of C2SP/CCTV."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
import zlib
from typing import TYPE_CHECKING

import pytest

from secretmem import Secret, age, hazmat
from vectors.cases import Row, load


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_secretmem

ROWS = load("age")

# What each verdict is here: an error, and the part of the file it names.
VERDICTS: dict[str, tuple[type[age.AgeError], str | None]] = {
    "no match": (age.NoMatchError, None),
    "HMAC failure": (age.DamagedFileError, "mac"),
    "header failure": (age.DamagedFileError, "header"),
    "payload failure": (age.DamagedFileError, "payload"),
    "armor failure": (age.DamagedFileError, "armor"),
}

# Ours is another verdict, which names the trouble more closely.
OTHERWISE: dict[str, tuple[type[age.AgeError], str | None]] = {
    # Nobody said that it is armored, and it does not begin as armor does.
    "armor_garbage_leading": (age.DamagedFileError, "header"),
    "scrypt_work_factor_23": (age.WorkFactorError, None),
}


def _file(row: Row) -> bytes:
    raw = base64.b64decode(row["file"])
    return zlib.decompress(raw) if row.get("compressed") == "zlib" else raw


def _identities(row: Row) -> Iterator[age.Identity | age.Passphrase]:
    for text in row.get("identity", ()):
        yield age.Identity.from_secret(Secret.from_bytes(text.encode()))
    for text in row.get("passphrase", ()):
        yield age.Passphrase(Secret.from_bytes(text.encode()))


def _answer(row: Row, text: bytes) -> bool:
    return hashlib.sha256(text).hexdigest() == str(row["payload"])


def _refused(row: Row, caught: pytest.ExceptionInfo[age.AgeError]) -> bool:
    kind, part = OTHERWISE.get(row["id"], VERDICTS[row["expect"]])
    found = getattr(caught.value, "part", None)
    return isinstance(caught.value, kind) and found == part


def test_all_verdicts_are_there() -> None:
    """No vector was lost on the way."""
    seen = [row["expect"] for row in ROWS]
    assert {verdict: seen.count(verdict) for verdict in set(seen)} == {
        "success": 21,
        "no match": 8,
        "HMAC failure": 1,
        "header failure": 53,
        "payload failure": 19,
        "armor failure": 22,
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_file_is_opened_or_refused(row: Row) -> None:
    """Into a Secret."""
    file, identities = _file(row), list(_identities(row))
    if row["expect"] == "success":
        with age.decrypt(file, identities, max_size=32 << 20) as opened:
            assert _answer(row, hazmat.export_bytes(opened))
        return
    with pytest.raises(age.AgeError) as caught:
        age.decrypt(file, identities, max_size=32 << 20)
    assert _refused(row, caught), repr(caught.value)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_a_file_is_written_to_a_descriptor(row: Row) -> None:
    """What comes before damage is the plaintext's true beginning."""
    file, identities = _file(row), list(_identities(row))
    with tempfile.TemporaryFile() as target:
        if row["expect"] == "success":
            written = age.decrypt_to_fd(file, target, identities)
        else:
            with pytest.raises(age.AgeError) as caught:
                age.decrypt_to_fd(file, target, identities)
            assert _refused(row, caught), repr(caught.value)
            written = os.fstat(target.fileno()).st_size
        text = os.pread(target.fileno(), written + 1, 0)
        assert len(text) == written
        if row["expect"] in ("success", "payload failure"):
            assert _answer(row, text)
        else:
            assert not text
