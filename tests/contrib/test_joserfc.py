"""joserfc's signatures with Secrets and private keys of ours."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import errors, jwk, jws, jwt

from secretmem import Secret, keys, posture
from secretmem.contrib import joserfc


pytestmark = pytest.mark.needs_secretmem

KEY = bytes(range(64))
CURVES = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}


@pytest.fixture(scope="module")
def rsa() -> joserfc.RSAKey:
    """Make one RSA key for the module."""
    return joserfc.RSAKey(keys.RSAPrivateKey.generate(2048))


def _round_trip(key: jwk.Key, name: str) -> None:
    token = jwt.encode({"alg": name}, {"a": 1}, key, algorithms=[name])
    public = jwk.import_key(key.as_dict())
    assert jwt.decode(token, public, algorithms=[name]).claims == {"a": 1}
    assert jwt.decode(token, key, algorithms=[name]).claims == {"a": 1}
    with pytest.raises(errors.BadSignatureError):
        jwt.decode(token[:-4] + "AAAA", public, algorithms=[name])


@pytest.mark.parametrize("name", ["HS256", "HS384", "HS512"])
def test_hmac_tokens_are_interchangeable(name: str) -> None:
    """Each side verifies the other's token; nothing is exported."""
    ours = joserfc.OctKey(Secret.from_bytes(KEY))
    theirs = jwk.OctKey.import_key(KEY)
    before = posture().exports
    with joserfc.registered():
        tokens = [
            jwt.encode({"alg": name}, {"a": 1}, key, algorithms=[name])
            for key in (ours, theirs)
        ]
        assert tokens[0] == tokens[1]
        for key in (ours, theirs):
            found = jwt.decode(tokens[0], key, algorithms=[name])
            assert found.claims == {"a": 1}
        with pytest.raises(errors.BadSignatureError):
            jwt.decode(tokens[0][:-4] + "AAAA", ours, algorithms=[name])
    assert posture().exports == before


def test_without_registering_a_secret_is_no_key() -> None:
    """Joserfc's own algorithm fails and signs nothing."""
    ours = joserfc.OctKey(Secret.from_bytes(KEY))
    with pytest.raises(TypeError):
        jwt.encode({"alg": "HS256"}, {}, ours)
    with joserfc.registered():
        jwt.encode({"alg": "HS256"}, {}, ours)
    with pytest.raises(TypeError):
        jwt.encode({"alg": "HS256"}, {}, ours)


def test_a_symmetric_key_shows_nothing() -> None:
    """No JWK, no thumbprint; equality is that of the Secrets."""
    key = joserfc.OctKey(Secret.from_bytes(KEY, name="jwt"), {"kid": "1"})
    assert repr(key) == "<OctKey <Secret 'jwt' memfd_secret>>"
    assert key.kid == "1"
    for refused in (key.thumbprint, key.as_dict):
        with pytest.raises(TypeError):
            refused()
    same = joserfc.OctKey(Secret.from_bytes(KEY), {"kid": "1"})
    assert key == same
    assert key != joserfc.OctKey(Secret.from_bytes(KEY[::-1]), {"kid": "1"})
    assert key != joserfc.OctKey(Secret.from_bytes(KEY), {"kid": "2"})
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        joserfc.OctKey(KEY)  # type: ignore[arg-type]  # the mistake


def test_keys_are_picked_from_a_set() -> None:
    """By their kid, which a symmetric key is given."""
    chosen = joserfc.OctKey(Secret.from_bytes(KEY), {"kid": "1"})
    other = joserfc.OKPKey(keys.Ed25519PrivateKey.generate())
    both = jwk.KeySet([chosen, other])
    with joserfc.registered():
        header = {"alg": "HS256", "kid": "1"}
        token = jwt.encode(header, {}, both)
        assert jwt.decode(token, both).header == {"typ": "JWT", **header}
    nameless = joserfc.OctKey(Secret.from_bytes(KEY))
    with pytest.raises(TypeError, match="kid"):
        jwk.KeySet([nameless])


def test_parameters_bind_a_key() -> None:
    """An "alg", a "use" and "key_ops" are kept to."""
    for parameters in (
        {"alg": "HS512"},
        {"use": "enc"},
        {"key_ops": ["verify"]},
    ):
        bound: Any = parameters
        key = joserfc.OctKey(Secret.from_bytes(KEY), bound)
        with joserfc.registered(), pytest.raises(errors.JoseError):
            jwt.encode({"alg": "HS256"}, {}, key)


def test_ed25519() -> None:
    """Under its name of RFC 9864, and under the old one."""
    key = joserfc.OKPKey(keys.Ed25519PrivateKey.generate())
    _round_trip(key, "Ed25519")
    with pytest.warns(errors.SecurityWarning, match="deprecated"):
        _round_trip(key, "EdDSA")


@pytest.mark.parametrize("name", CURVES)
def test_curves(name: str) -> None:
    """P-256, P-384 and P-521."""
    private = keys.EllipticCurvePrivateKey.generate(CURVES[name])
    _round_trip(joserfc.ECKey(private), name)


@pytest.mark.parametrize(
    "name", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
)
def test_rsa(rsa: joserfc.RSAKey, name: str) -> None:
    """PKCS1 v1.5 and PSS."""
    _round_trip(rsa, name)


def test_json_serialization(rsa: joserfc.RSAKey) -> None:
    """Not only the compact form."""
    member: Any = {"protected": {"alg": "RS256"}}
    signed = jws.serialize_json(member, b"m", rsa)
    assert jws.deserialize_json(signed, rsa).payload == b"m"


def test_private_keys_show_public_parameters_only(
    rsa: joserfc.RSAKey,
) -> None:
    """The JWK, its thumbprint and the files of a key."""
    curve = keys.EllipticCurvePrivateKey.generate(CURVES["ES256"])
    okp = joserfc.OKPKey(keys.Ed25519PrivateKey.generate())
    for key in (rsa, joserfc.ECKey(curve), okp):
        assert key.is_private
        parameters = key.as_dict()
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(parameters)
        public: Any = jwk.import_key(parameters)
        assert key.thumbprint() == public.thumbprint()
        assert key.as_pem() == public.as_pem()
        with pytest.raises(TypeError, match="does not leave"):
            key.as_dict(private=True)
        with pytest.raises(TypeError, match="does not leave"):
            key.as_pem(private=True)
        with pytest.raises(TypeError, match="load_file"):
            type(key).generate_key()
        with pytest.raises(TypeError, match="not offered"):
            key.exchange_derive_key(key)


def test_other_keys_are_refused() -> None:
    """Those in ordinary memory."""
    ordinary: Any = ec.generate_private_key(ec.SECP256R1())
    for kind in (joserfc.OKPKey, joserfc.ECKey, joserfc.RSAKey):
        with pytest.raises(TypeError, match=r"secretmem\.keys"):
            kind(ordinary)
