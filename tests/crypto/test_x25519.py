"""X25519: the RFC's answer, cryptography's, and the zeros."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import x25519 as pyca

from secretmem import ClosedError, Secret
from secretmem.crypto import x25519
from secretmem.exceptions import InvalidKey
from secretmem.keys import X25519PrivateKey, load_der, load_pem


pytestmark = pytest.mark.needs_secretmem

# RFC 7748, section 6.1.
ALICE = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

# Points of small order: 0, 1, and p - 1, p, p + 1 (p = 2^255 - 19).
SMALL = (
    0,
    1,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
)


def alice() -> Secret:
    """Make the RFC's private key."""
    return Secret.from_hex(ALICE.encode())


def test_the_rfcs_answer() -> None:
    """By the key and by the function."""
    peer = bytes.fromhex(BOB_PUBLIC)
    key = X25519PrivateKey.from_seed(alice())
    assert key.exchange(pyca.X25519PublicKey.from_public_bytes(peer)).matches(
        bytes.fromhex(SHARED)
    )
    shared = x25519(alice(), peer, name="shared")
    assert shared.matches(bytes.fromhex(SHARED))
    assert shared.name == "shared"
    assert key.seed() == alice()


def test_a_thousand_times_over() -> None:
    """RFC 7748, section 5.2: input and output feed the next turn."""
    k, u = Secret.from_hex(b"09" + b"00" * 31), b"\t" + bytes(31)
    for _ in range(1000):
        shared = x25519(k, u)
        with k.reveal() as view:
            u = bytes(view)
        k = shared
    assert k.matches(
        bytes.fromhex(
            "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"
        )
    )


def test_both_sides_agree() -> None:
    """A generated key with one of cryptography's, and its class."""
    key, theirs = X25519PrivateKey.generate(), pyca.X25519PrivateKey.generate()
    assert isinstance(key, pyca.X25519PrivateKey)
    shared = key.exchange(theirs.public_key())
    assert shared.matches(theirs.exchange(key.public_key()))


@pytest.mark.parametrize("point", SMALL)
def test_zeros_are_refused(point: int) -> None:
    """RFC 7748, section 6.1: everybody would know the result."""
    public = point.to_bytes(32, "little")
    with pytest.raises(InvalidKey, match="all zero"):
        x25519(alice(), public)
    key = X25519PrivateKey.generate()
    with pytest.raises(InvalidKey, match="all zero"):
        key.exchange(pyca.X25519PublicKey.from_public_bytes(public))


def test_lengths_are_checked() -> None:
    """Of both keys."""
    with pytest.raises(InvalidKey):
        x25519(Secret.random(31), bytes(32))
    with pytest.raises(InvalidKey):
        x25519(Secret.random(32), bytes(33))
    with pytest.raises(InvalidKey):
        X25519PrivateKey.from_seed(Secret.random(33))


def test_a_key_is_loaded() -> None:
    """PKCS#8, in PEM and DER."""
    theirs = pyca.X25519PrivateKey.generate()
    for encoding, load in (
        (forms.Encoding.PEM, load_pem),
        (forms.Encoding.DER, load_der),
    ):
        encoded = theirs.private_bytes(
            encoding, forms.PrivateFormat.PKCS8, forms.NoEncryption()
        )
        key = load(Secret.from_bytes(encoded))
        assert isinstance(key, X25519PrivateKey)
        assert key.public_key() == theirs.public_key()


def test_a_key_keeps_to_itself() -> None:
    """Neither bytes nor repr nor use after the end."""
    key = X25519PrivateKey.generate()
    peer = pyca.X25519PrivateKey.generate().public_key()
    with pytest.raises(TypeError):
        key.private_bytes_raw()
    assert repr(key).startswith("<X25519PrivateKey ")
    with key:
        key.exchange(peer)
    assert key.closed
    with pytest.raises(ClosedError):
        key.exchange(peer)
