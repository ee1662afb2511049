"""Ed25519, ECDSA and ECDH against published answers."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from secretmem import Secret, _native
from secretmem.exceptions import InvalidKey
from secretmem.keys import Ed25519PrivateKey, load_pem
from vectors.cases import HASHES, Row, data, judge, load


pytestmark = pytest.mark.needs_secretmem

# Bytes of a coordinate, and the curve's object identifier in DER.
_CURVES = {
    "secp256r1": (32, "06082a8648ce3d030107"),
    "secp384r1": (48, "06052b81040022"),
    "secp521r1": (66, "06052b81040023"),
}


def _sec1(curve: str, number: bytes) -> Secret:
    """Write a private number as an ECPrivateKey (RFC 5915), in PEM."""
    size, oid = _CURVES[curve]
    scalar = int.from_bytes(number).to_bytes(size)
    named = bytes.fromhex(oid)
    body = b"\x02\x01\x01\x04" + bytes([size]) + scalar
    body += b"\xa0" + bytes([len(named)]) + named
    text = base64.b64encode(b"\x30" + bytes([len(body)]) + body)
    ends = (b"-----BEGIN EC PRIVATE KEY-----", b"-----END EC PRIVATE KEY-----")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return Secret.from_bytes(b"\n".join([ends[0], *lines, ends[1], b""]))


def test_ed25519() -> None:
    """The public key and the signature, of the RFC's first keys too."""

    def answer(row: Row) -> bool:
        seed, public, message, signature = data(
            row, "seed", "public", "msg", "sig"
        )
        key = Ed25519PrivateKey.from_seed(Secret.from_bytes(seed))
        assert key.public_key().public_bytes_raw() == public
        return key.sign(message) == signature

    judge(load("ed25519"), answer, InvalidKey, {"valid": 36})


def test_ecdsa() -> None:
    """
    The public point is the standard's; another library verifies.

    The standard's own signatures have nonces that it names; ours are random.
    """

    def answer(row: Row) -> bool:
        number, x, y, message = data(row, "d", "Qx", "Qy", "Msg")
        key = load_pem(_sec1(row["curve"], number))
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        public = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x), int.from_bytes(y), key.curve
        ).public_key()
        assert key.public_key() == public
        algorithm = ec.ECDSA(HASHES[row["hash"]])
        signature = key.sign(message, algorithm)
        assert signature != key.sign(message, algorithm)
        public.verify(signature, message, algorithm)
        return True

    judge(load("ecdsa"), answer, InvalidSignature, {"valid": 36})


@pytest.mark.parametrize(
    "curve, expected",
    [
        ("secp256r1", {"valid": 35, "acceptable": 1, "invalid": 16}),
        ("secp384r1", {"valid": 33, "acceptable": 1, "invalid": 10}),
        ("secp521r1", {"valid": 34, "acceptable": 1, "invalid": 18}),
    ],
)
def test_ecdh(curve: str, expected: dict[str, int]) -> None:
    """The shared secret; points that are on another curve are refused."""

    def answer(row: Row) -> bool:
        number, point, shared = data(row, "private", "public", "shared")
        encoded = _sec1(curve, number)
        # Beneath the classes: pyca's public key refuses these points itself.
        key = _native.KeyBase.load(encoded, None, inherit=None)
        return bool(key.exchange(Secret, point).matches(shared))

    judge(load(f"ecdh_{curve}"), answer, InvalidKey, expected)


def test_x25519() -> None:
    """The shared secret, also of twisted and not canonical points."""
    zero = []

    def answer(row: Row) -> bool:
        seed, point, shared = data(row, "private", "public", "shared")
        key = _native.X25519Base.from_seed(
            Secret.from_bytes(seed), inherit=None
        )
        if "ZeroSharedSecret" in row["kind"]:
            # RFC 7748, section 6.1: a peer that says nothing of itself.
            with pytest.raises(InvalidKey):
                key.exchange(Secret, point)
            zero.append(row["id"])
            return True
        return bool(key.exchange(Secret, point).matches(shared))

    judge(load("x25519"), answer, (), {"valid": 19, "acceptable": 50})
    assert len(zero) > 20


def test_ecdh_through_the_classes() -> None:
    """With pyca's public key, for the points that it takes."""
    rows = [
        row
        for row in load("ecdh_secp256r1")
        if row["result"] == "valid" and row["public"].startswith("04")
    ]

    def answer(row: Row) -> bool:
        number, point, shared = data(row, "private", "public", "shared")
        key = load_pem(_sec1("secp256r1", number))
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        peer = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point)
        written = peer.public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        assert written == point
        made: object = key.exchange(ec.ECDH(), peer)
        return isinstance(made, Secret) and made.matches(shared)

    judge(rows, answer, ValueError, {"valid": 35})
