"""Keys in forked children: inherited ones work there, private ones refuse."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from secretmem import ForkError, KeyRing, Secret
from secretmem.crypto import (
    Hmac,
    aead,
    argon2id,
    hkdf,
    pbkdf2,
    scrypt,
    stream,
    x25519,
)
from secretmem.crypto.twofactor import HOTP
from secretmem.fernet import Fernet
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    RSAPrivateKey,
    X25519PrivateKey,
    load_der,
    load_file,
    load_jwk,
    load_pem,
)
from support import forked


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

SHA256 = hashes.SHA256()
ECDSA = ec.ECDSA(SHA256)
PKCS1 = padding.PKCS1v15()


def _ed25519(key: Any) -> None:  # noqa: ANN401 - takes any key
    key.public_key().verify(key.sign(b"m"), b"m")


def _curve(key: Any) -> None:  # noqa: ANN401 - as above
    key.public_key().verify(key.sign(b"m", ECDSA), b"m", ECDSA)


def _rsa(key: Any) -> None:  # noqa: ANN401 - as above
    signature = key.sign(b"m", PKCS1, SHA256)
    key.public_key().verify(signature, b"m", PKCS1, SHA256)


def _x25519(key: Any) -> None:  # noqa: ANN401 - as above
    other = X25519PrivateKey.generate()
    with key.exchange(other.public_key()) as shared:
        assert shared == other.exchange(key.public_key())


KEYS: dict[str, tuple[Callable[..., Any], Callable[[Any], None]]] = {
    "ed25519": (Ed25519PrivateKey.generate, _ed25519),
    "x25519": (X25519PrivateKey.generate, _x25519),
    "p256": (
        lambda **how: EllipticCurvePrivateKey.generate(ec.SECP256R1(), **how),
        _curve,
    ),
    "p521": (
        lambda **how: EllipticCurvePrivateKey.generate(ec.SECP521R1(), **how),
        _curve,
    ),
    "rsa": (lambda **how: RSAPrivateKey.generate(2048, **how), _rsa),
}


@pytest.mark.parametrize("used", [False, True], ids=["first use", "used"])
@pytest.mark.parametrize("kind", KEYS)
def test_private_keys(kind: str, used: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """A child and its child sign; a private key refuses, and goes on here."""
    make, use = KEYS[kind]
    with make(inherit=True) as inherited, make(inherit=False) as private:
        if used:
            use(inherited)
            use(private)

        def both() -> None:
            use(inherited)
            with pytest.raises(ForkError):
                use(private)

        forked.run(both).result()
        forked.run(lambda: forked.run(both).result()).result()
        use(inherited)
        use(private)


def test_a_key_that_the_child_closes() -> None:
    """The parent's stays open."""
    for make, use in KEYS.values():
        with make(inherit=True) as key:
            forked.run(lambda: (use(key), key.close())).result()  # noqa: B023 - called at once
            use(key)


def test_loaded_keys(tmp_path: Path) -> None:
    """Whatever they come from; the text itself is private here."""
    for make, use in KEYS.values():
        key = make(inherit=False)
        form, document = key.pkcs8(), key.jwk()
        path = tmp_path / "key.jwk"
        with path.open("wb") as file:
            document.write_to(file.fileno())
        for loaded in (
            load_der(form, inherit=True),
            load_pem(document, inherit=True),
            load_jwk(document, inherit=True),
            load_file(path, inherit=True),
        ):
            forked.run(lambda: use(loaded)).result()  # noqa: B023 - called at once
            assert loaded.pkcs8().inherit
            loaded.close()


CIPHERS = (
    aead.AESGCM,
    aead.AESGCMSIV,
    aead.ChaCha20Poly1305,
    aead.XChaCha20Poly1305,
)


@pytest.mark.parametrize("cls", CIPHERS, ids=lambda c: c.__name__)
def test_ciphers(cls: type[aead._Aead]) -> None:
    """Both ways, to bytes and to a Secret that is inherited in turn."""
    cipher, private = cls.generate(inherit=True), cls.generate(inherit=False)
    nonce = bytes(cls.NONCE_SIZE)
    sealed = cipher.encrypt(nonce, b"message", b"aad")

    def child() -> None:
        assert cipher.encrypt(nonce, b"message", b"aad") == sealed
        assert cipher.decrypt(nonce, sealed, b"aad") == b"message"
        opened = cipher.decrypt_to_secret(nonce, sealed, b"aad")
        assert opened.inherit
        assert forked.run(lambda: opened.matches(b"message")).result()
        with pytest.raises(ForkError):
            private.encrypt(nonce, b"message")
        with pytest.raises(ForkError):
            private.decrypt(nonce, sealed)
        assert private.failures == 0

    forked.run(child).result()


def test_rings_and_fernet() -> None:
    """A server's workers read what the server wrote."""
    ring, private = KeyRing.generate(inherit=True), KeyRing.generate()
    fernet = Fernet(Fernet.generate_key(inherit=True))
    token, other = ring.encrypt(b"message", b"aad"), fernet.encrypt(b"message")

    def child() -> bytes:
        assert ring.decrypt(token, b"aad") == b"message"
        assert fernet.decrypt(other) == b"message"
        with pytest.raises(ForkError):
            private.encrypt(b"message")
        return ring.encrypt(b"answer")

    assert ring.decrypt(forked.run(child).result()) == b"answer"


def test_derived_keys() -> None:
    """Each is kept as what it comes from."""
    root = Secret.random(32, inherit=True)
    salt = bytes(16)
    for derived in (
        hkdf(root, 32),
        pbkdf2(root, salt=salt, iterations=2),
        scrypt(root, salt=salt, n=16),
        argon2id(root, salt=salt, memory_cost=64, iterations=1),
        Hmac(root).digest_to_secret(b"m"),
        x25519(root, bytes([9]) + bytes(31)),
        HOTP(root).get_provisioning_uri("a", 0, "b"),
    ):
        assert derived.inherit
        copy = derived[:]
        assert forked.run(lambda: derived == copy).result()  # noqa: B023 - called at once


def test_streams() -> None:
    """One that was begun before the fork goes on in the child."""
    key = Secret.random(32, inherit=True)
    encryptor = stream.Encryptor(key, segment_size=128)
    begun = encryptor.update(bytes(500))
    rest = forked.run(encryptor.finalize).result()
    out = io.BytesIO()
    source = io.BytesIO(begun + rest)
    forked.run(
        lambda: stream.decrypt(key, source, out, segment_size=128)
    ).result()
    source.seek(0)
    made = stream.decrypt_to_secret(key, source, segment_size=128)
    assert made.inherit
    assert made.matches(bytes(500))
