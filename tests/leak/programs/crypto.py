"""Programs: keys that are used where they lie."""

from __future__ import annotations

from leak.stage import Stage, program


# 32 bytes, of which 24 are looked for.
_KEY = "{plain}32bytes!"
_OTHER = "another {plain}"

_NO_COUNTERPART = "a decrypted message is its control"


@program(
    "secretmem.KeyRing",
    payloads=(_KEY, _OTHER, "{plain}"),
    no_control=_NO_COUNTERPART,
)
def key_ring(stage: Stage) -> None:
    """Encrypt and decrypt a Secret with a ring, rotate a token."""
    import secretmem

    first, second = stage.secret(_KEY), stage.secret(_OTHER)
    message = stage.secret()
    ring = secretmem.KeyRing([first, second])
    old = secretmem.KeyRing([second])
    token = old.encrypt(message, b"public")
    stage.check(b"encrypted")
    assert ring.decrypt_to_secret(token, b"public") == message
    stage.check(b"decrypted")
    stage.repeat(lambda: ring.encrypt(message))
    stage.repeat(lambda: ring.decrypt_to_secret(token, b"public").close())
    stage.repeat(lambda: ring.rotate(token, b"public"))
    assert ring.needs_rotation(token)
    assert len(ring.key_ids) == 2
    for secret in (first, second, message):
        secret.close()
    stage.ended()


@program(
    "secretmem.KeyRing",
    payloads=(_KEY, "{plain}"),
    no_control="it is a documented copy",
)
def key_ring_bytes(stage: Stage) -> None:
    """Decrypt to bytes: a documented copy."""
    import secretmem

    message = stage.secret()
    ring = secretmem.KeyRing([stage.secret(_KEY)])
    token = ring.encrypt(message)
    stage.check(b"before")
    plain = ring.decrypt(token)
    assert len(plain) == 24
    stage.copied(b"bytes")


@program(
    "secretmem.CryptoError",
    "secretmem.InvalidKey",
    payloads=(_KEY, "{plain}"),
    no_control=_NO_COUNTERPART,
)
def crypto_errors(stage: Stage) -> None:
    """A key of a wrong length, a key twice, a damaged token."""
    import secretmem

    key, short = stage.secret(_KEY), stage.secret()
    ring = secretmem.KeyRing([key])
    token = bytearray(ring.encrypt(short))
    token[-5] ^= 1
    kept: list[BaseException] = []
    for kind, action in (
        (secretmem.InvalidKey, lambda: secretmem.KeyRing([short])),
        (secretmem.InvalidKey, lambda: secretmem.KeyRing([key, key])),
        (secretmem.CryptoError, lambda: ring.decrypt(bytes(token))),
    ):
        try:
            action()
        except kind as error:
            kept.append(error)
    assert len(kept) == 3
    stage.check(b"refused")
