"""Keys that `fernet` takes: those that pyca takes, and no other objects."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography import fernet as pyca

from secretmem import Secret, age
from secretmem.crypto import Hmac
from secretmem.fernet import Fernet, MultiFernet


pytestmark = pytest.mark.needs_secretmem


@pytest.mark.parametrize("key", [b"\xff" * 32, b"\xfb\xef" * 16, bytes(32)])
@pytest.mark.parametrize(
    "encode", [bytes, base64.b64encode, base64.urlsafe_b64encode]
)
def test_keys_in_either_alphabet(key: bytes, encode: type[bytes]) -> None:
    """``openssl rand -base64 32`` writes the other one."""
    with Secret.from_bytes(encode(key)) as text:
        token = Fernet(text).encrypt(b"message")
    assert pyca.Fernet(base64.b64encode(key)).decrypt(token) == b"message"


@pytest.mark.parametrize("size", [0, 1, 31, 33, 42, 64])
def test_keys_of_other_sizes(size: int) -> None:
    """The error tells the size and the forms, not the text."""
    key = base64.b16encode(os.urandom(size))[:size]
    with (
        Secret.from_bytes(key or b"?") as text,
        pytest.raises(ValueError, match=r"raw bytes or of their 44 charac"),
    ):
        Fernet(text)


def test_other_objects() -> None:
    """At once, not at the first use."""
    with (
        Secret.random(32) as key,
        pytest.raises(TypeError, match="Fernet objects, not Secret"),
    ):
        MultiFernet([key])  # type: ignore[list-item]  # wrong on purpose
    for wrong in (Fernet, Hmac, age.Passphrase):
        with pytest.raises(TypeError, match="a Secret, not bytes"):
            wrong(bytes(32))  # type: ignore[arg-type]  # as above
