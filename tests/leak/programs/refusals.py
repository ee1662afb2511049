"""Programs: errors of keys and ciphers, kept with their tracebacks."""

from __future__ import annotations

from leak.refused import refused, unencrypted
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _keys(stage: Stage) -> tuple[Any, tuple[type[Exception], ...]]:
    """Give what loads keys, and its errors: ours or the control's."""
    if stage.ordinary:
        from cryptography.exceptions import UnsupportedAlgorithm

        from leak import pyca

        return pyca.keys, (TypeError, ValueError, UnsupportedAlgorithm)
    from secretmem import keys
    from secretmem.exceptions import InvalidKey

    return keys, (InvalidKey,)


def _unreadable(stage: Stage) -> None:
    """Load files with a wrong passphrase, damaged and cut ones."""
    keys, kinds = _keys(stage)
    plain, encrypted = stage.secret("{pem}"), stage.secret("{encrypted}")
    passphrase = stage.secret("{passphrase}")
    wrong = stage.Secret.from_bytes(b"wrong")
    load = keys.load_pem
    # The middle of the file is cut out; the ends are whole.
    size = len(plain)
    damaged = plain[: size // 2] + plain[size // 2 + 4 :]
    bent = encrypted[:100] + encrypted[104:]

    def every() -> list[Exception]:
        return refused(
            kinds,
            lambda: load(encrypted),
            lambda: load(encrypted, wrong),
            lambda: load(encrypted, passphrase[1:]),
            lambda: load(bent, passphrase),
            lambda: load(damaged),
            lambda: load(plain[:-40]),
            lambda: load(plain[: size // 2]),
            lambda: keys.load_der(plain[30:]),
        )

    kept = every()
    stage.check(b"refused")
    stage.repeat(every, 20)
    assert kept


_FILES = ("{pem}", "{encrypted}", "{passphrase}")


@program(payloads=_FILES, material="rsa")
def unreadable_rsa(stage: Stage) -> None:
    """Files with an RSA key."""
    _unreadable(stage)


@program(payloads=_FILES, material="p256")
def unreadable_p256(stage: Stage) -> None:
    """Files with a key on P-256."""
    _unreadable(stage)


@program(payloads=_FILES, material="ed25519")
def unreadable_ed25519(stage: Stage) -> None:
    """Files with an Ed25519 key."""
    _unreadable(stage)


@program(
    "crypto.InvalidTag",
    "crypto.InvalidSignature",
    payloads=("{key}", "{plain}"),
    material="symmetric",
)
def wrong_tags(stage: Stage) -> None:
    """Damaged ciphertexts of all ciphers, wrong MACs and sizes."""
    if stage.ordinary:
        from cryptography.exceptions import InvalidSignature, InvalidTag
    else:
        from secretmem.crypto import InvalidSignature, InvalidTag
    key, message = stage.secret("{key}"), stage.secret()
    aead, mac, area = _ciphers(stage, key)
    kept: list[Exception] = []
    for cls, size in aead:
        cipher = cls(key)
        nonce = bytes(size)
        sealed = bytearray(cipher.encrypt(nonce, message, None))
        sealed[-1] ^= 1
        bad = bytes(sealed)
        kept += refused(
            InvalidTag,
            lambda: cipher.decrypt(nonce, bad, None),  # noqa: B023 - called at once
            lambda: cipher.decrypt_to_secret(nonce, bad, None),  # noqa: B023 - as above
            lambda: cipher.decrypt_into(nonce, bad, None, area),  # noqa: B023 - as above
            lambda: cipher.decrypt(nonce, bad[:5], None),  # noqa: B023 - as above
        )
        kept += refused(
            Exception,
            lambda: cls(key[1:]),  # noqa: B023 - as above
            lambda: cipher.encrypt(nonce[:5], message, None),  # noqa: B023 - as above
            # Into a buffer that cannot be written to, and that is refused.
            lambda: cipher.encrypt_into(nonce, message, None, nonce),  # noqa: B023 - as above
            lambda: cipher.decrypt_into(nonce, bad, None, bad),  # noqa: B023 - as above
        )
        stage.check(b"refused")
    wrong = bytes(mac.digest_size)
    kept += refused(InvalidSignature, lambda: mac.verify(b"message", wrong))
    stage.check(b"wrong MAC")
    assert kept


def _ciphers(stage: Stage, key: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - ours or the control's
    """Give ciphers with the sizes of their nonces, a MAC, and a buffer."""
    names = ("AESGCM", "AESGCMSIV", "ChaCha20Poly1305")
    if stage.ordinary:
        from leak import pyca

        ciphers = [(getattr(pyca, name), 12) for name in names]
        return ciphers, pyca.Hmac(key), bytearray(24)
    import secretmem
    from secretmem.crypto import Hmac, aead

    ciphers = [
        (cls, cls.NONCE_SIZE)
        for cls in (
            *(getattr(aead, name) for name in names),
            aead.XChaCha20Poly1305,
        )
    ]
    return ciphers, Hmac(key), secretmem.SecretArea(24)


@program(
    "fernet.InvalidToken",
    payloads=("{key}", "{token}"),
    material="fernet",
)
def wrong_tokens(stage: Stage) -> None:
    """Damaged, expired and foreign tokens."""
    made: Any
    if stage.ordinary:
        from cryptography.fernet import InvalidToken

        from leak import pyca as made
    else:
        from secretmem import fernet as made
        from secretmem.fernet import InvalidToken
    ring = made.Fernet(stage.secret("{key}"))
    token = bytes(stage.buffer("{token}"))
    other = made.Fernet(stage.Secret.from_bytes(b"A" * 43 + b"="))
    bad = token[:-8] + b"AAAAAAA="
    kept = refused(
        InvalidToken,
        lambda: ring.decrypt(bad),
        lambda: ring.decrypt_to_secret(token[:40]),
        lambda: ring.decrypt_at_time(token, 1, 1 << 40),
        lambda: made.MultiFernet([other]).rotate(token),
        lambda: other.decrypt(token),
    )
    stage.check(b"refused")
    assert kept


def _given_away(stage: Stage) -> bool:
    """Let a key of cryptography's show itself: what ours refuses to do."""
    if not stage.ordinary:
        return False
    from leak import pyca

    key = pyca.load_pem(stage.secret("{pem}"))
    shown = key.private_bytes(*unencrypted())
    stage.check(b"given away")
    assert shown
    return True


@program(
    "Ed25519PrivateKey.from_private_bytes",
    "Ed25519PrivateKey.private_bytes",
    "Ed25519PrivateKey.private_bytes_raw",
    "Ed25519PrivateKey.private_numbers",
    payloads=("{pem}",),
    material="ed25519",
)
def refused_ed25519(stage: Stage) -> None:
    """A key does not give its bytes."""
    if _given_away(stage):
        return
    import copy
    import pickle

    from secretmem import keys

    key: Any = keys.load_pem(stage.secret("{pem}"))
    kept = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.private_bytes(*unencrypted()),
        key.private_bytes_raw,
        key.private_numbers,
        lambda: pickle.dumps(key),
        lambda: copy.deepcopy(key),
    )
    shown = [repr(key), str(key)]
    stage.check(b"refused")
    assert kept
    assert shown


@program(
    "EllipticCurvePrivateKey.from_private_bytes",
    "EllipticCurvePrivateKey.private_bytes",
    "EllipticCurvePrivateKey.private_numbers",
    payloads=("{pem}",),
    material="p521",
)
def refused_curve(stage: Stage) -> None:
    """The same, and what a closed key says."""
    if _given_away(stage):
        return
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    from secretmem import keys
    from secretmem.exceptions import ClosedError

    key: Any = keys.load_pem(stage.secret("{pem}"))
    kept = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.private_bytes(*unencrypted()),
        key.private_numbers,
    )
    stage.check(b"refused")
    key.close()
    kept += refused(
        ClosedError, lambda: key.sign(b"message", ec.ECDSA(SHA256()))
    )
    stage.check(b"closed")
    assert kept


@program(
    "RSAPrivateKey.from_private_bytes",
    "RSAPrivateKey.private_bytes",
    "RSAPrivateKey.private_numbers",
    payloads=("{pem}", "{sealed}"),
    material="rsa",
)
def refused_rsa(stage: Stage) -> None:
    """The same, and a ciphertext that is damaged or for another hash."""
    if _given_away(stage):
        return
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    from secretmem import keys
    from secretmem.crypto import InvalidTag

    key: Any = keys.load_pem(stage.secret("{pem}"))
    sealed = bytes(stage.buffer("{sealed}"))
    bent = sealed[:-1] + bytes([sealed[-1] ^ 1])
    right = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    other = padding.OAEP(padding.MGF1(SHA256()), SHA1(), None)  # noqa: S303 - the wrong one
    kept = refused(
        TypeError,
        lambda: key.from_private_bytes(b"as bytes"),
        lambda: key.private_bytes(*unencrypted()),
        key.private_numbers,
    )
    kept += refused(
        InvalidTag,
        lambda: key.decrypt(sealed, other),
        lambda: key.decrypt(bent, right),
        lambda: key.decrypt(sealed[1:], right),
    )
    stage.check(b"refused")
    assert kept
