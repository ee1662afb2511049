"""
Programs: ciphers, MACs, derived keys and tokens, under one key's life.

The key comes from a pipe; what is looked for is the key, what it is expanded
to, and a message in secret memory. The control is ``cryptography``.
"""

from __future__ import annotations

from leak.disturbed import under_signals
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_NO_COUNTERPART = "cryptography has none"
_ONCE = "what is loaded has a control"

_NONCE = bytes(12)


def _classes(stage: Stage) -> Any:  # noqa: ANN401 - ours or the control's
    if stage.ordinary:
        from leak import pyca

        return pyca
    from secretmem.crypto import aead

    return aead


def _crypto(stage: Stage) -> Any:  # noqa: ANN401 - ours or the control's
    if stage.ordinary:
        from leak import pyca

        return pyca.crypto
    from secretmem import crypto

    return crypto


def _tokens(stage: Stage) -> Any:  # noqa: ANN401 - ours or the control's
    if stage.ordinary:
        from leak import pyca

        return pyca
    from secretmem import fernet

    return fernet


def _used(stage: Stage, cls: Callable[[Any], Any], nonce: bytes) -> None:
    """Seal and open with a cipher; the message is secret too."""
    key, message = stage.secret("{key}"), stage.secret()
    cipher = cls(key)
    data = bytes(1 << 16)
    sealed = cipher.encrypt(nonce, message, b"aad")
    stage.check(b"sealed")
    opened = cipher.decrypt_to_secret(nonce, sealed, b"aad")
    stage.check(b"opened")
    assert opened == message
    opened.close()

    def both() -> None:
        again = cipher.encrypt(nonce, message, b"aad")
        cipher.decrypt_to_secret(nonce, again, b"aad").close()

    stage.repeat(both)
    under_signals(stage, lambda: cipher.encrypt(nonce, data, None), 8)
    under_signals(stage, both, 8)
    for secret in (message, key):
        secret.close()
    cipher.close()
    stage.end()


@program(
    "aead.AESGCM",
    "AESGCM.encrypt",
    "AESGCM.encrypt_into",
    "AESGCM.decrypt_to_secret",
    "AESGCM.decrypt_into",
    "AESGCM.close",
    payloads=("{key}", "{plain}"),
    material="symmetric",
)
def live_aesgcm(stage: Stage) -> None:
    """Seal 64 KiB and a Secret, open to a Secret and into a buffer."""
    key, message = stage.secret("{key}"), stage.secret()
    cipher = _classes(stage).AESGCM(key)
    sealed = cipher.encrypt(_NONCE, message, b"aad")
    stage.check(b"sealed")
    opened = cipher.decrypt_to_secret(_NONCE, sealed, b"aad")
    stage.check(b"opened")
    assert opened == message
    room = bytearray(len(sealed))
    assert cipher.encrypt_into(_NONCE, message, b"aad", room) == len(sealed)
    assert room == sealed
    stage.check(b"sealed into")
    area = _buffer(stage, 24)
    with memoryview(area) as view:
        assert cipher.decrypt_into(_NONCE, sealed, b"aad", view) == 24
        stage.check(b"into")

        def all_four() -> None:
            again = cipher.encrypt(_NONCE, message, b"aad")
            cipher.encrypt_into(_NONCE, message, b"aad", room)
            cipher.decrypt_to_secret(_NONCE, again, b"aad").close()
            cipher.decrypt_into(_NONCE, again, b"aad", view)

        stage.repeat(all_four)
        under_signals(stage, all_four, 4)
        view[:] = bytes(24)
    data = bytes(1 << 16)
    under_signals(stage, lambda: cipher.encrypt(_NONCE, data, None))
    for secret in (opened, message, key):
        secret.close()
    cipher.close()
    stage.end()


def _buffer(stage: Stage, size: int) -> Any:  # noqa: ANN401 - two kinds
    if stage.ordinary:
        return bytearray(size)
    import secretmem

    return secretmem.SecretArea(size)


@program("aead.AESGCMSIV", payloads=("{key}", "{plain}"), material="symmetric")
def live_aesgcmsiv(stage: Stage) -> None:
    """The same with AESGCMSIV."""
    _used(stage, _classes(stage).AESGCMSIV, _NONCE)


@program(
    "aead.ChaCha20Poly1305",
    payloads=("{key}", "{plain}"),
    material="symmetric",
)
def live_chacha(stage: Stage) -> None:
    """The same with ChaCha20Poly1305."""
    _used(stage, _classes(stage).ChaCha20Poly1305, _NONCE)


@program(
    "aead.XChaCha20Poly1305",
    payloads=("{key}", "{plain}"),
    material="symmetric",
    no_control=_NO_COUNTERPART,
)
def live_xchacha(stage: Stage) -> None:
    """The same with XChaCha20Poly1305."""
    _used(stage, _classes(stage).XChaCha20Poly1305, bytes(24))


@program(
    "AESGCM.generate",
    "AESGCM.generate_key",
    "AESGCM.decrypt",
    "AESGCM.KEY_SIZES",
    "AESGCM.NONCE_SIZE",
    "AESGCM.TAG_SIZE",
    payloads=("{plain}",),
    material="symmetric",
    no_control=_ONCE,
)
def new_cipher(stage: Stage) -> None:
    """Make keys; open to bytes, which is a documented copy."""
    from secretmem.crypto.aead import AESGCM

    message, key = stage.secret(), AESGCM.generate_key()
    stage.learn(key)
    stage.check(b"generated")
    sealed = AESGCM(key).encrypt(bytes(AESGCM.NONCE_SIZE), message)
    other = AESGCM.generate()
    assert other.KEY_SIZES[-1] == len(key)
    assert len(sealed) == 24 + AESGCM.TAG_SIZE
    other.close()
    stage.check(b"sealed")
    plain = AESGCM(key).decrypt(_NONCE, sealed)
    stage.copied(b"to bytes")
    assert len(plain) == 24


@program(
    "crypto.Hmac",
    "Hmac.digest",
    "Hmac.verify",
    "Hmac.digest_size",
    payloads=("{key}",),
    material="symmetric",
)
def live_hmac(stage: Stage) -> None:
    """Authenticate long data, and short data with each hash."""
    key = stage.secret("{key}")
    macs = [
        _crypto(stage).Hmac(key, name)
        for name in ("sha256", "sha384", "sha512")
    ]
    data = bytes(1 << 16)
    right = [mac.digest(data) for mac in macs]
    assert [len(each) for each in right] == [m.digest_size for m in macs]

    def each() -> None:
        for mac in macs:
            mac.verify(b"short", mac.digest(b"short"))

    stage.check(b"loaded")
    stage.repeat(each)
    under_signals(stage, each, 4)
    under_signals(stage, lambda: macs[0].digest(data))
    macs[0].verify(data, right[0])
    key.close()
    stage.end()


@program("crypto.hkdf", payloads=("{key}",), material="symmetric")
def live_hkdf(stage: Stage) -> None:
    """Derive a key by HKDF."""
    secret = stage.secret("{key}")
    hkdf = _crypto(stage).hkdf
    derived = hkdf(secret, 32, salt=b"salt", info=b"info")
    stage.learn(derived)
    stage.check(b"derived")

    def derive() -> None:
        hkdf(secret, 32, salt=b"salt", info=b"info").close()

    stage.repeat(derive)
    under_signals(stage, derive, 4)
    secret.close()
    derived.close()
    stage.end()


@program(
    "fernet.Fernet",
    "fernet.MultiFernet",
    "Fernet.encrypt",
    "Fernet.encrypt_at_time",
    "Fernet.decrypt_to_secret",
    "Fernet.extract_timestamp",
    "MultiFernet.decrypt_to_secret",
    "MultiFernet.encrypt",
    "MultiFernet.encrypt_at_time",
    "MultiFernet.rotate",
    payloads=("{key}", "{token}"),
    material="fernet",
)
def live_fernet(stage: Stage) -> None:
    """Make and open tokens, rotate one whose message is secret."""
    tokens = _tokens(stage)
    key = stage.secret("{key}")
    ring = tokens.Fernet(key)
    both = tokens.MultiFernet([ring])
    token = bytes(stage.buffer("{token}"))
    stage.check(b"loaded")
    opened = ring.decrypt_to_secret(token)
    assert len(opened) == 24
    stage.check(b"opened")

    def use() -> None:
        ring.encrypt(b"public")
        ring.encrypt_at_time(b"public", 1000)
        both.encrypt(b"public")
        both.encrypt_at_time(b"public", 1000)
        both.decrypt_to_secret(token).close()
        both.rotate(token)

    stage.repeat(use, 300)
    assert ring.extract_timestamp(token) > 0
    under_signals(stage, use, 4)
    opened.close()
    key.close()
    stage.end()


@program(
    "Fernet.generate_key",
    "Fernet.decrypt",
    "Fernet.decrypt_at_time",
    "MultiFernet.decrypt",
    payloads=("{key}", "{token}"),
    material="fernet",
    no_control=_ONCE,
)
def fernet_bytes(stage: Stage) -> None:
    """Open to bytes: a documented copy."""
    from secretmem.fernet import Fernet, MultiFernet

    made = Fernet.generate_key()
    stage.learn(made)
    ring = Fernet(stage.secret("{key}"))
    token = bytes(stage.buffer("{token}"))
    stage.check(b"before")
    plain = [ring.decrypt(token), MultiFernet([ring]).decrypt(token)]
    plain.append(
        ring.decrypt_at_time(token, 60, ring.extract_timestamp(token))
    )
    stage.copied(b"to bytes")
    assert [len(each) for each in plain] == [24, 24, 24]
