"""Keys and ciphers beside cryptography's: each reads what the other made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography import fernet as pyca_fernet
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    padding,
    rsa,
    utils,
)
from cryptography.hazmat.primitives.ciphers import aead as pyca_aead

from secretmem import ClosedError, KeyRing, Secret, hazmat
from secretmem.crypto import Hmac, aead, hkdf
from secretmem.exceptions import InvalidKey
from secretmem.fernet import Fernet, InvalidToken, MultiFernet
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    RSAPrivateKey,
    load_der,
    load_file,
    load_pem,
)


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
SHA256 = hashes.SHA256()
ECDSA = ec.ECDSA(SHA256)
PASSPHRASE = b"correct horse"


@pytest.fixture(scope="module")
def pyca_rsa() -> rsa.RSAPrivateKey:
    """Make one RSA key of pyca's for the module."""
    return rsa.generate_private_key(65537, 2048)


def test_ed25519_signs_what_pyca_verifies() -> None:
    """A generated key and the key of a known seed."""
    key = Ed25519PrivateKey.generate()
    key.public_key().verify(key.sign(b"message"), b"message")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    theirs = ed25519.Ed25519PrivateKey.generate()
    seed = Secret.from_bytes(theirs.private_bytes_raw())
    same = Ed25519PrivateKey.from_seed(seed)
    assert same.sign(b"m") == theirs.sign(b"m")
    assert same.seed() == seed


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: c.name)
def test_curves_sign_and_exchange(curve: ec.EllipticCurve) -> None:
    """ECDSA is verified by pyca, ECDH agrees with it."""
    key = EllipticCurvePrivateKey.generate(curve)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == curve.name
    assert key.key_size == curve.key_size
    key.public_key().verify(key.sign(b"m", ECDSA), b"m", ECDSA)
    theirs = ec.generate_private_key(curve)
    ours = key.exchange(ec.ECDH(), theirs.public_key())
    assert ours.matches(theirs.exchange(ec.ECDH(), key.public_key()))


def test_a_peer_on_another_curve_is_refused() -> None:
    """The error comes before the crypto library sees the point."""
    key = EllipticCurvePrivateKey.generate(CURVES[0])
    peer = ec.generate_private_key(CURVES[1]).public_key()
    with pytest.raises(ValueError, match="another curve"):
        key.exchange(ec.ECDH(), peer)


@pytest.mark.parametrize(
    "pad",
    [
        padding.PKCS1v15(),
        padding.PSS(padding.MGF1(SHA256), padding.PSS.MAX_LENGTH),
        padding.PSS(padding.MGF1(hashes.SHA512()), 20),
    ],
)
@pytest.mark.parametrize("hashed", [SHA256, hashes.SHA384(), hashes.SHA512()])
def test_rsa_signs_what_pyca_verifies(
    pyca_rsa: rsa.RSAPrivateKey,
    pad: padding.AsymmetricPadding,
    hashed: hashes.HashAlgorithm,
) -> None:
    """PKCS1 v1.5 and PSS, over a message and over its digest."""
    key = load_pem(Secret.from_bytes(_pem(pyca_rsa)))
    assert isinstance(key, RSAPrivateKey)
    signature = key.sign(b"m", pad, hashed)
    pyca_rsa.public_key().verify(signature, b"m", pad, hashed)
    digest = hashes.Hash(hashed)
    digest.update(b"m")
    again = key.sign(digest.finalize(), pad, utils.Prehashed(hashed))
    pyca_rsa.public_key().verify(again, b"m", pad, hashed)


def test_a_generated_rsa_key_works() -> None:
    """OAEP with a label; a wrong label tells nothing."""
    key = RSAPrivateKey.generate(2048)
    right = padding.OAEP(padding.MGF1(SHA256), SHA256, b"label")
    wrong = padding.OAEP(padding.MGF1(SHA256), SHA256, None)
    sealed = key.public_key().encrypt(b"plain", right)
    assert key.decrypt(sealed, right) == b"plain"
    assert key.decrypt_to_secret(sealed, right).matches(b"plain")
    with pytest.raises(InvalidTag):
        key.decrypt(sealed, wrong)


def _pem(
    key: rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey,
    form: forms.PrivateFormat = forms.PrivateFormat.PKCS8,
    passphrase: bytes | None = None,
) -> bytes:
    encryption: forms.KeySerializationEncryption = forms.NoEncryption()
    if passphrase:
        encryption = forms.BestAvailableEncryption(passphrase)
    return key.private_bytes(forms.Encoding.PEM, form, encryption)


def _pyca_keys() -> list[
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
]:
    return [
        rsa.generate_private_key(65537, 2048),
        *(ec.generate_private_key(curve) for curve in CURVES),
        ed25519.Ed25519PrivateKey.generate(),
    ]


def test_keys_are_loaded_from_every_form(tmp_path: Path) -> None:
    """PKCS8, traditional, encrypted or not, PEM and DER."""
    for key in _pyca_keys():
        public = key.public_key().public_bytes(
            forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo
        )
        ways = [forms.PrivateFormat.PKCS8]
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            ways.append(forms.PrivateFormat.TraditionalOpenSSL)
        for way in ways:
            for passphrase in (None, PASSPHRASE):
                path = tmp_path / "key.pem"
                path.write_bytes(_pem(key, way, passphrase))
                secret = passphrase and Secret.from_bytes(passphrase)
                loaded = load_file(path, secret or None)
                ours = loaded.public_key().public_bytes(
                    forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo
                )
                assert ours == public
        der = key.private_bytes(
            forms.Encoding.DER, forms.PrivateFormat.PKCS8, forms.NoEncryption()
        )
        assert load_der(Secret.from_bytes(der)).closed is False


def test_what_follows_a_key_is_refused() -> None:
    """Behind DER of every form, as behind plain PKCS#8."""
    encrypted = forms.BestAvailableEncryption(PASSPHRASE)
    ways = [
        (forms.PrivateFormat.PKCS8, forms.NoEncryption()),
        (forms.PrivateFormat.PKCS8, encrypted),
        (forms.PrivateFormat.TraditionalOpenSSL, forms.NoEncryption()),
    ]
    for key in _pyca_keys():
        for form, encryption in ways:
            if form is not ways[0][0] and isinstance(
                key, ed25519.Ed25519PrivateKey
            ):
                continue
            der = key.private_bytes(forms.Encoding.DER, form, encryption)
            secret = (
                Secret.from_bytes(PASSPHRASE)
                if encryption is encrypted
                else None
            )
            load_der(Secret.from_bytes(der), secret).close()
            for more in (b"\0", der):
                with pytest.raises(InvalidKey, match="cannot be read"):
                    load_der(Secret.from_bytes(der + more), secret)


@pytest.mark.parametrize("passphrase", [None, b"wrong", b""])
def test_a_wrong_passphrase_is_an_invalid_key(
    pyca_rsa: rsa.RSAPrivateKey, passphrase: bytes | None
) -> None:
    """As is none, and an empty one."""
    pem = Secret.from_bytes(_pem(pyca_rsa, passphrase=PASSPHRASE))
    secret = None if passphrase is None else Secret.from_bytes(passphrase)
    with pytest.raises(InvalidKey, match="cannot be read"):
        load_pem(pem, secret)


def test_a_damaged_key_is_an_invalid_key(pyca_rsa: rsa.RSAPrivateKey) -> None:
    """Wherever the damage is, there is an error or the same key."""
    pem = _pem(pyca_rsa)
    for cut in range(0, len(pem), 97):
        with pytest.raises(InvalidKey):
            load_pem(Secret.from_bytes(pem[:cut]))


def test_a_closed_key_refuses() -> None:
    """Every kind of it, and closing again is fine."""
    edwards = Ed25519PrivateKey.generate()
    curve = EllipticCurvePrivateKey.generate(CURVES[0])
    for key in (edwards, curve):
        with key:
            assert not key.closed
        key.close()
        assert key.closed
    with pytest.raises(ClosedError):
        edwards.sign(b"m")
    with pytest.raises(ClosedError):
        curve.sign(b"m", ECDSA)


def test_pyjwt_takes_the_keys() -> None:
    """EdDSA and ES256 tokens, verified with pyca's public keys."""
    for algorithm, key in (
        ("EdDSA", Ed25519PrivateKey.generate()),
        ("ES256", EllipticCurvePrivateKey.generate(CURVES[0])),
        ("RS256", RSAPrivateKey.generate(2048)),
    ):
        token = jwt.encode({"sub": "me"}, key, algorithm=algorithm)
        claims = jwt.decode(token, key.public_key(), algorithms=[algorithm])
        assert claims == {"sub": "me"}


def test_aead_agrees_with_pyca() -> None:
    """The same ciphertext, and each opens the other's."""
    for ours, theirs in (
        (aead.AESGCM, pyca_aead.AESGCM),
        (aead.ChaCha20Poly1305, pyca_aead.ChaCha20Poly1305),
    ):
        key = ours.generate_key()
        mine = ours(key)
        pyca = theirs(hazmat.export_bytes(key))
        for size in (0, 1, 64, 70_000):
            nonce, data = bytes(12), bytes(size)
            sealed = mine.encrypt(nonce, data, b"aad")
            assert sealed == pyca.encrypt(nonce, data, b"aad")
            room = bytearray(size + 16)
            assert mine.encrypt_into(nonce, data, b"aad", room) == size + 16
            assert room == sealed
            with Secret.from_bytes(data or b"x") as secret:
                room = bytearray(len(secret) + 16)
                mine.encrypt_into(nonce, secret, b"aad", room)
                assert room == mine.encrypt(nonce, secret, b"aad")
            assert mine.decrypt(nonce, sealed, b"aad") == data
            out = bytearray(size)
            assert mine.decrypt_into(nonce, sealed, b"aad", out) == size
            assert bytes(out) == data
            opened = mine.decrypt_to_secret(nonce, sealed, b"aad")
            assert opened.matches(data)
            with pytest.raises(InvalidTag):
                mine.decrypt(nonce, sealed, b"other")


def test_aead_refuses_wrong_sizes() -> None:
    """Keys and nonces, with the size that is right."""
    with pytest.raises(InvalidKey, match="32 bytes, not 31"):
        aead.XChaCha20Poly1305(Secret.random(31))
    with pytest.raises(TypeError, match="is a Secret"):
        aead.AESGCM(bytes(32))  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InvalidKey, match="nonce"):
        aead.AESGCM.generate().encrypt(bytes(11), b"")


def test_hmac_and_hkdf() -> None:
    """A wrong MAC raises; derived keys differ by their info."""
    key = Secret.random(32)
    mac = Hmac(key).digest(b"message")
    Hmac(key).verify(b"message", mac)
    assert Hmac(key).digest_to_secret(b"message").matches(mac)
    with pytest.raises(Exception, match="does not fit") as caught:
        Hmac(key).verify(b"other", mac)
    assert type(caught.value).__name__ == "InvalidSignature"
    assert hkdf(key, 32, info=b"a") != hkdf(key, 32, info=b"b")
    assert hkdf(key, 32, info=b"a") == hkdf(key, 32, info=b"a")


def test_fernet_reads_and_writes_pycas_tokens() -> None:
    """Both ways, all lengths of the padding, with rotation."""
    key = pyca_fernet.Fernet.generate_key()
    pyca, ours = pyca_fernet.Fernet(key), Fernet(Secret.from_bytes(key))
    for size in range(34):
        data = bytes(size)
        assert ours.decrypt(pyca.encrypt(data)) == data
        assert pyca.decrypt(ours.encrypt(data)) == data
    old = pyca.encrypt_at_time(b"data", 1000)
    assert ours.extract_timestamp(old) == 1000
    with pytest.raises(pyca_fernet.InvalidToken):
        ours.decrypt(old, ttl=10)
    new = Fernet(Fernet.generate_key())
    rotated = MultiFernet([new, ours]).rotate(old)
    assert new.decrypt(rotated) == b"data"
    assert new.extract_timestamp(rotated) == 1000
    with pytest.raises(InvalidToken):
        ours.decrypt(rotated)


def test_a_key_ring_rotates() -> None:
    """The first key encrypts, the named one decrypts."""
    old, new = KeyRing.generate_key(), KeyRing.generate_key()
    before = KeyRing([old])
    token = before.encrypt(b"data", b"row 7")
    ring = KeyRing([new, old])
    assert ring.decrypt(token, b"row 7") == b"data"
    assert ring.needs_rotation(token)
    rotated = ring.rotate(token, b"row 7")
    assert not ring.needs_rotation(rotated)
    assert KeyRing([new]).decrypt(rotated, b"row 7") == b"data"
    with pytest.raises(InvalidTag):
        ring.decrypt(token, b"row 8")
    with pytest.raises(InvalidTag, match="names no key"):
        before.decrypt(rotated, b"row 7")
    for cut in range(len(token)):
        with pytest.raises(InvalidTag):
            ring.decrypt(token[:cut], b"row 7")


def test_short_rsa_keys_are_refused() -> None:
    """1024 bits are broken."""
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the point
    with pytest.raises(InvalidKey, match="2048 to 8192"):
        load_pem(Secret.from_bytes(_pem(short)))


def test_pycas_constructor_refuses() -> None:
    """It would keep the key in ordinary memory."""
    with pytest.raises(TypeError, match="as a Secret"):
        Ed25519PrivateKey.from_private_bytes(bytes(32))
