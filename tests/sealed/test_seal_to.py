"""A Secret goes to another host as an age file, and in no other way."""

from __future__ import annotations

import pickle
import socket
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from sealed.conftest import secret
from secretmem import ClosedError, InvalidKey, Secret, age, handover


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture
def identity() -> Iterator[age.Identity]:
    """The key of the other host."""
    with age.Identity.generate() as made:
        yield made


def test_it_arrives(identity: age.Identity, tmp_path: Path) -> None:
    """From bytes, from a file by its path, and from an open one."""
    path = tmp_path / "sealed"
    with Secret.random(5000) as value:
        sealed = value.seal_to(identity.recipient)
        path.write_bytes(sealed)
        with path.open("rb") as file:
            for source in (sealed, bytearray(sealed), path, str(path), file):
                with Secret.from_sealed(
                    source, identity, name="there"
                ) as opened:
                    assert opened == value
                    assert opened.name == "there"


def test_it_is_a_file_of_age(identity: age.Identity) -> None:
    """Armored or not; each of several recipients opens it."""
    with secret(b"value") as value, age.Identity.generate() as other:
        text = value.seal_to(
            str(identity.recipient), other.recipient, armor=True
        )
        assert text.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
        for each in (identity, other):
            with age.decrypt(text, [each]) as opened:
                assert opened.matches(b"value")
        with age.Identity.generate() as stranger:
            with pytest.raises(age.NoMatchError):
                Secret.from_sealed(text, stranger)
            assert Secret.from_sealed(text, stranger, other).matches(b"value")


def test_no_recipient(identity: age.Identity) -> None:
    """None at all, one that is no text, and one that is mistyped."""
    wrong: tuple[Any, ...] = (7, b"age1", identity)
    with secret(b"value") as value:
        with pytest.raises(InvalidKey):
            value.seal_to()
        with pytest.raises(InvalidKey):
            value.seal_to(str(identity.recipient)[:-1])
        for each in wrong:
            with pytest.raises(TypeError, match=r"identity\.recipient"):
                value.seal_to(each)
            with pytest.raises(TypeError, match=r"identity\.recipient"):
                secretmem.SealedStore.generate(recipients=[each])
    with pytest.raises(ClosedError):
        value.seal_to(identity.recipient)


def test_a_damaged_one(identity: age.Identity) -> None:
    """It says where; nothing is left in secret memory."""
    with secret(b"value") as value:
        sealed = value.seal_to(identity.recipient)
    before = secretmem.posture().live
    for data in (sealed[:-1], sealed[:40], b"", sealed + b"x"):
        with pytest.raises(age.DamagedFileError):
            Secret.from_sealed(data, identity)
    with pytest.raises(ValueError, match="max_size = 4"):
        Secret.from_sealed(sealed, identity, max_size=4)
    assert secretmem.posture().live == before


def test_other_ways_are_refused(identity: age.Identity) -> None:
    """Each refusal names the one that works."""
    del identity
    with secret(b"value") as value:
        with pytest.raises(TypeError, match="seal_to"):
            pickle.dumps(value)
        with (
            socket.socket(socket.AF_INET) as sock,
            pytest.raises(ValueError, match="seal_to"),
        ):
            handover.send_secret(sock, value)
