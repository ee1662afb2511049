"""PyJWT with Secrets: tokens are those of its own keys."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from secretmem import ClosedError, Secret, keys, posture
from secretmem.contrib import pyjwt


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_secretmem

# PyJWT's annotations know no Secret.
Key = Any

NAMES = ("HS256", "HS384", "HS512")
KEY = bytes(range(64))
CURVES = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with pyjwt.registered():
        yield


@pytest.fixture
def secret() -> Key:
    """Give the key as a Secret."""
    return Secret.from_bytes(KEY, name="jwt")


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_interchangeable(secret: Key, name: str) -> None:
    """Each side verifies the other's token; nothing is exported."""
    before = posture().exports
    ours = jwt.encode({"a": 1}, secret, algorithm=name)
    theirs = jwt.encode({"a": 1}, KEY, algorithm=name)
    assert ours == theirs
    assert jwt.decode(theirs, secret, algorithms=[name]) == {"a": 1}
    assert jwt.decode(ours, KEY, algorithms=[name]) == {"a": 1}
    assert posture().exports == before


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_signature_is_refused(secret: Key, name: str) -> None:
    """Of another key, cut short, or damaged."""
    other = jwt.encode({}, KEY[::-1], algorithm=name)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(other, secret, algorithms=[name])
    token = jwt.encode({}, secret, algorithm=name)
    body, _, signature = token.rpartition(".")
    for damaged in (signature[:8], "", "AAAA" + signature[4:]):
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(f"{body}.{damaged}", secret, algorithms=[name])


def test_bad_keys_are_refused() -> None:
    """Empty ones, and text that is a key of another kind."""
    texts = [b"", b"-----BEGIN PUBLIC KEY-----\n", b"ssh-rsa AAAA"]
    for text in [*texts, b'{"kty":"oct","k":"AAAA"}']:
        key: Any = Secret.from_bytes(text)
        with pytest.raises(jwt.InvalidKeyError):
            jwt.encode({}, key, algorithm="HS256")


def test_a_short_key_is_warned_about() -> None:
    """As PyJWT does for its own."""
    key: Any = Secret.random(16)
    with pytest.warns(jwt.InsecureKeyLengthWarning, match="16 bytes"):
        jwt.encode({}, key, algorithm="HS256")


def test_a_closed_key_is_refused(secret: Key) -> None:
    """The next use fails."""
    secret.close()
    with pytest.raises(ClosedError):
        jwt.encode({}, secret, algorithm="HS256")


def test_unregistering_puts_pyjwts_own_back(secret: Key) -> None:
    """A Secret is then no key; bytes still are."""
    pyjwt.unregister()
    with pytest.raises(TypeError):
        jwt.encode({}, secret, algorithm="HS256")
    assert jwt.decode(jwt.encode({}, KEY), KEY, algorithms=["HS256"]) == {}


def test_one_object_and_its_allowed_algorithms(secret: Key) -> None:
    """Registering allows nothing that was forbidden."""
    jws = jwt.PyJWS(algorithms=["HS384"])
    with pyjwt.registered(jws):
        token = jws.encode(b"m", secret, algorithm="HS384")
        assert jws.decode(token, secret, algorithms=["HS384"]) == b"m"
        with pytest.raises(NotImplementedError):
            jws.encode(b"m", secret, algorithm="HS256")
    with pytest.raises(TypeError):
        jws.encode(b"m", secret, algorithm="HS384")


def test_threads_share_a_key(secret: Key) -> None:
    """Every token of every thread is right."""
    right = jwt.encode({}, KEY, algorithm="HS256")
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(1 for _ in range(100) if jwt.encode({}, secret) != right)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("name", ["EdDSA", "ES256", "ES384", "ES512"])
def test_keys_on_curves_as_they_are(name: str) -> None:
    """A token that PyJWT verifies with the public key, and no other's."""
    key: Key = keys.Ed25519PrivateKey.generate()
    if name != "EdDSA":
        key = keys.EllipticCurvePrivateKey.generate(CURVES[name])
    _signs(key, name)


@pytest.mark.parametrize("name", ["RS256", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_as_it_is(name: str, rsa: Key) -> None:
    """PKCS1 v1.5 and PSS."""
    _signs(rsa, name)


@pytest.fixture(scope="module")
def rsa() -> Key:
    """Make one RSA key for the module."""
    return keys.RSAPrivateKey.generate(2048)


def _signs(key: Key, name: str) -> None:
    before = posture().exports
    token = jwt.encode({"a": 1}, key, algorithm=name)
    public = key.public_key()
    assert jwt.decode(token, public, algorithms=[name]) == {"a": 1}
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-8] + "AAAAAAAA", public, algorithms=[name])
    assert posture().exports == before


def test_keys_are_not_shown_as_jwk(rsa: Key) -> None:
    """PyJWT's own conversion would write the private numbers."""
    with pytest.raises(TypeError, match="does not leave"):
        jwt.algorithms.RSAAlgorithm.to_jwk(rsa)
