"""Misuse of ciphers, and the limits of a key, as clear errors."""

from __future__ import annotations

import base64
import mmap

import pytest

from secretmem import (
    CryptoError,
    InvalidKey,
    KeyLimitError,
    KeyRing,
    Secret,
)
from secretmem.crypto import InvalidTag, aead


pytestmark = pytest.mark.needs_secretmem

CIPHERS = (
    aead.AESGCM,
    aead.AESGCMSIV,
    aead.ChaCha20Poly1305,
    aead.XChaCha20Poly1305,
)


@pytest.fixture(params=CIPHERS, ids=lambda c: c.__name__)
def cls(request: pytest.FixtureRequest) -> type[aead._Aead]:
    """Give each of the ciphers."""
    made: type[aead._Aead] = request.param
    return made


def _nonce(cipher: aead._Aead) -> bytes:
    return bytes(cipher.NONCE_SIZE)


def test_keys_of_other_sizes(cls: type[aead._Aead]) -> None:
    """The message tells both sizes."""
    for size in set(range(66)) - set(cls.KEY_SIZES):
        with pytest.raises(InvalidKey, match=f"bytes, not {size}"):
            cls(Secret.random(size))


def test_nonces_of_other_sizes(cls: type[aead._Aead]) -> None:
    """Of every method, and none of them counts as a forgery."""
    cipher = cls.generate()
    for size in set(range(33)) - {cls.NONCE_SIZE}:
        nonce, text = bytes(size), f"{cls.NONCE_SIZE} bytes, not {size}"
        for use in (
            lambda n: cipher.encrypt(n, b""),
            lambda n: cipher.encrypt_into(n, b"", None, bytearray(16)),
            lambda n: cipher.decrypt(n, bytes(16)),
            lambda n: cipher.decrypt_to_secret(n, bytes(16)),
            lambda n: cipher.decrypt_into(n, bytes(16), None, bytearray()),
        ):
            with pytest.raises(InvalidKey, match=text):
                use(nonce)
    assert cipher.failures == 0


def test_ciphertexts_shorter_than_a_tag(cls: type[aead._Aead]) -> None:
    """They cannot be genuine."""
    cipher = cls.generate()
    for size in range(cls.TAG_SIZE):
        with pytest.raises(InvalidTag):
            cipher.decrypt(_nonce(cipher), bytes(size))
    assert cipher.failures == cls.TAG_SIZE


@pytest.mark.parametrize(
    "cls, longest",
    [
        (aead.AESGCM, (1 << 36) - 32),
        (aead.AESGCMSIV, 1 << 36),
        (aead.ChaCha20Poly1305, (1 << 38) - 64),
        (aead.XChaCha20Poly1305, (1 << 38) - 64),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_messages_that_are_too_long(
    cls: type[aead._Aead], longest: int
) -> None:
    """Refused before any memory is taken for the ciphertext."""
    # Nothing is read of it, so none of it exists.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    cipher = cls.generate()
    with (
        mmap.mmap(-1, longest + 1, flags, mmap.PROT_READ) as data,
        pytest.raises(InvalidKey, match="longer than this cipher"),
    ):
        cipher.encrypt(_nonce(cipher), data)


def test_so_many_messages(cls: type[aead._Aead]) -> None:
    """The next one is refused; what was encrypted is still read."""
    cipher = cls(cls.generate_key(), max_messages=3)
    sealed = [cipher.encrypt(_nonce(cipher), b"message") for _ in range(3)]
    with pytest.raises(KeyLimitError, match="3 messages, 69 bytes"):
        cipher.encrypt(_nonce(cipher), b"message")
    assert cipher.decrypt(_nonce(cipher), sealed[2]) == b"message"


def test_so_many_bytes(
    cls: type[aead._Aead], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets and buffers count as well."""
    monkeypatch.setattr(cls, "MAX_BYTES", 3 * 26)
    cipher = cls.generate()
    nonce = _nonce(cipher)
    cipher.encrypt(nonce, b"ten bytes.")
    cipher.encrypt(nonce, Secret.from_bytes(b"ten bytes."))
    cipher.encrypt(nonce, bytearray(10))
    with pytest.raises(KeyLimitError, match="78 bytes"):
        cipher.encrypt(nonce, b"")
    with pytest.raises(KeyLimitError, match="78 bytes"):
        cipher.encrypt_into(nonce, b"", None, bytearray(16))


def test_buffers_that_do_not_fit(cls: type[aead._Aead]) -> None:
    """Of another length, not writable, or the data's own; none is counted."""
    cipher, nonce = cls.generate(), bytes(cls.NONCE_SIZE)
    sealed = cipher.encrypt(nonce, bytes(8))
    for size in (0, 8, 23, 25):
        with pytest.raises(InvalidKey, match="as long as message and tag"):
            cipher.encrypt_into(nonce, bytes(8), None, bytearray(size))
    for data in bytes(8), Secret.from_bytes(bytes(8)):
        with pytest.raises(TypeError, match="the output needs a writable"):
            cipher.encrypt_into(nonce, data, None, bytes(24))
    with pytest.raises(TypeError, match="the output needs a writable"):
        cipher.decrypt_into(nonce, sealed, None, bytes(8))
    memory = bytearray(sealed + bytes(8))
    view = memoryview(memory)
    for start in range(9):
        part = view[start : start + 8]
        with pytest.raises(ValueError, match="share memory"):
            cipher.decrypt_into(nonce, view[:24], None, part)
        with pytest.raises(ValueError, match="share memory"):
            cipher.encrypt_into(nonce, part, None, view[:24])
    assert cipher.decrypt_into(nonce, view[:24], None, view[24:]) == 8
    assert memory == sealed + bytes(8)
    assert cipher.failures == 0


def test_so_many_forgeries(cls: type[aead._Aead]) -> None:
    """Then nothing more is decrypted, genuine or not; encryption goes on."""
    cipher = cls(cls.generate_key(), max_failures=3)
    nonce = _nonce(cipher)
    sealed = cipher.encrypt(nonce, b"message")
    bent = bytes([sealed[0] ^ 1]) + sealed[1:]
    room = bytearray(7)
    for use in (
        lambda data: cipher.decrypt(nonce, data),
        lambda data: cipher.decrypt_to_secret(nonce, data),
        lambda data: cipher.decrypt_into(nonce, data, None, room),
    ):
        assert use(sealed)
        with pytest.raises(InvalidTag):
            use(bent)
    assert cipher.failures == 3
    with pytest.raises(KeyLimitError, match="3 messages did not authent"):
        cipher.decrypt(nonce, sealed)
    assert cipher.encrypt(nonce, b"message") == sealed


def test_the_limits_are_the_published_ones() -> None:
    """SP 800-38D, RFC 9147; see the module."""
    assert {cls.MAX_FAILURES for cls in CIPHERS} == {2**36}
    assert [cls.MAX_MESSAGES for cls in CIPHERS] == [2**32] * 3 + [2**80]
    # A chance of 2**-32: the square of the blocks by 2**129.
    blocks = aead.AESGCM.MAX_BYTES // 16
    assert blocks**2 / 2**129 <= 2**-32
    for limit in ("max_messages", "max_failures"):
        with pytest.raises(ValueError, match="1 or more, not 0"):
            aead.AESGCM(Secret.random(32), **{limit: 0})


def test_a_limit_is_an_error_of_cryptography() -> None:
    """And no InvalidTag: a handler for forgeries must not swallow it."""
    assert issubclass(KeyLimitError, CryptoError)
    assert not issubclass(KeyLimitError, InvalidTag | ValueError)


def test_a_ring_counts_too() -> None:
    """Its ciphers are the same objects for its life."""
    ring = KeyRing.generate()
    token = bytearray(base64.urlsafe_b64decode(ring.encrypt(b"message")))
    token[-6] ^= 1
    forged = base64.urlsafe_b64encode(token)
    for _ in range(4):
        with pytest.raises(InvalidTag):
            ring.decrypt(forged)
    (cipher,) = ring._ciphers.values()
    assert cipher.failures == 4
