"""Files of Debian's age are opened here, and ours there."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from secretmem import Secret, age


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("age", "age-keygen"),
]

# Around the borders of a chunk.
SIZES = (0, 1, 65535, 65536, 65537, 200_000)

ARMOR = pytest.mark.parametrize("armor", [False, True], ids=["binary", "text"])


def _run(*command: str, feed: bytes = b"") -> bytes:
    done = subprocess.run(command, input=feed, capture_output=True, check=True)
    return done.stdout


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Let age-keygen make a file."""
    path = tmp_path / "key.txt"
    _run("age-keygen", "-o", str(path))
    return path


def test_the_public_key_is_the_same(key_file: Path) -> None:
    """Of a file with comments, as age-keygen writes it."""
    with age.Identity.from_file(key_file) as identity:
        theirs = _run("age-keygen", "-y", str(key_file))
        assert str(identity.recipient) == theirs.decode().strip()
        with identity.text() as text, Secret.from_file(key_file) as whole:
            assert whole.strip()[-len(text) :] == text


@ARMOR
@pytest.mark.parametrize("size", SIZES)
def test_theirs_is_opened_here(
    key_file: Path, size: int, *, armor: bool
) -> None:
    """By one of two recipients."""
    message = os.urandom(size)
    other = age.Identity.generate()
    with age.Identity.from_file(key_file) as identity:
        recipients = (
            "-r",
            str(other.recipient),
            "-r",
            str(identity.recipient),
        )
        options = ("-a",) if armor else ()
        sealed = _run("age", *options, *recipients, feed=message)
        for each in (identity, other):
            assert age.decrypt(sealed, [each]).matches(message)


@ARMOR
@pytest.mark.parametrize("size", SIZES)
def test_ours_is_opened_there(
    key_file: Path, size: int, *, armor: bool
) -> None:
    """From memory, and from descriptor to descriptor."""
    message = os.urandom(size)
    plain, sealed = key_file.with_name("plain"), key_file.with_name("sealed")
    plain.write_bytes(message)
    with age.Identity.from_file(key_file) as identity:
        recipients = [age.Identity.generate().recipient, identity.recipient]
    in_memory = age.encrypt(message, recipients, armor=armor)
    with plain.open("rb") as source, sealed.open("wb") as target:
        count = age.encrypt_fd(source, target, recipients, armor=armor)
    assert count == size
    for file in (in_memory, sealed.read_bytes()):
        assert _run("age", "-d", "-i", str(key_file), feed=file) == message
