"""Objects of another kind, and buffers of another size: said, not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from secretmem import age, keys
from secretmem.crypto import aead


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem


@pytest.mark.parametrize("size", [0, 4, 6, 21])
def test_a_buffer_of_another_size(size: int) -> None:
    """The caller's mistake is no forgery, and does not close the key."""
    cipher = aead.AESGCM.generate()
    sealed = cipher.encrypt(bytes(12), b"hello", None)
    with pytest.raises(ValueError, match=f"has {size} bytes, and the plain"):
        cipher.decrypt_into(bytes(12), sealed, None, bytearray(size))
    with pytest.raises(TypeError, match="the output needs a writable"):
        cipher.decrypt_into(bytes(12), sealed, None, bytes(5))
    assert cipher.failures == 0
    out = bytearray(5)
    assert cipher.decrypt_into(bytes(12), sealed, None, out) == 5
    assert out == b"hello"


def test_keys_are_loaded_from_secrets(tmp_path: Path) -> None:
    """With a passphrase that is one."""
    path = tmp_path / "key"
    key = keys.Ed25519PrivateKey.generate()
    with key.pkcs8() as form, path.open("wb") as file:
        form.write_to(file)
    with pytest.raises(TypeError, match="key is a Secret, not bytes"):
        keys.load_pem(b"-----BEGIN")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="passphrase is a Secret, not bytes"):
        keys.load_file(path, b"word")  # type: ignore[arg-type]  # as above


def test_recipients_are_objects() -> None:
    """No texts, and no identities."""
    with age.Identity.generate() as identity:
        for wrong in (str(identity.recipient), identity):
            with pytest.raises(TypeError, match="parse_recipient"):
                age.encrypt(b"x", [wrong])  # type: ignore[list-item]  # as above
