"""The same cryptographic calls of secretmem, cryptography and PyNaCl."""

from __future__ import annotations

import re
from functools import cache, partial
from timeit import Timer
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.operations import Operation

    _Operations = dict[str, Operation]
    _Maker = Callable[[], dict[str, Any]]
    _Names = dict[str, _Maker]

SHORT, LONG = 64, 1 << 20
MESSAGE = b"m" * SHORT
LONG_MESSAGE = b"m" * LONG
NONCE = b"n" * 12

_SETUP = "import gc; gc.enable()"
_AEAD = {
    "aes256gcm_64": "gcm.encrypt(NONCE, MESSAGE, None)",
    "aes256gcm_1m": "gcm.encrypt(NONCE, LONG_MESSAGE, None)",
    "aes256gcm_open_1m": "gcm.decrypt_into(NONCE, sealed, None, out)",
    "chacha20_64": "chacha.encrypt(NONCE, MESSAGE, None)",
    "chacha20_1m": "chacha.encrypt(NONCE, LONG_MESSAGE, None)",
}
# The digest's value does not matter, and AWS-LC called plainly is given one.
_SIGN = {
    "ed25519_sign": "ed25519.sign(MESSAGE)",
    "p256_sign": "p256.sign(DIGEST, ecdsa)",
    "rsa2048_sign": "rsa2048.sign(DIGEST, pkcs1, sha256)",
    "rsa3072_sign": "rsa3072.sign(DIGEST, pkcs1, sha256)",
}


def _timed(statements: dict[str, str], names: _Names) -> _Operations:
    """
    Give each statement the names that its first word stands for.

    They are made when the operation is first called, if only 0 times: an
    object of one row shall not be there in the rows before.
    """
    return {
        name: _late(statement, names[re.split(r"\W", statement)[0]])
        for name, statement in statements.items()
    }


def _late(statement: str, make: _Maker) -> Operation:
    known = {"MESSAGE": MESSAGE, "LONG_MESSAGE": LONG_MESSAGE, "NONCE": NONCE}

    @cache
    def timer() -> Timer:
        return Timer(statement, _SETUP, globals=known | make())

    return lambda count: timer().timeit(count)


def _to_open(gcm: Any) -> dict[str, Any]:  # noqa: ANN401 either library's
    sealed = gcm.encrypt(NONCE, LONG_MESSAGE, None)
    return {"gcm": gcm, "sealed": sealed, "out": bytearray(LONG)}


def _how_to_sign() -> dict[str, Any]:
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    done = utils.Prehashed(SHA256())
    return {
        "DIGEST": bytes(32),
        "ecdsa": ec.ECDSA(done),
        "pkcs1": padding.PKCS1v15(),
        "sha256": done,
    }


def _signer(name: str, make: Callable[[], object]) -> _Maker:
    return lambda: _how_to_sign() | {name: make()}


def of_pyca() -> _Operations:
    """Give the calls of cryptography: keys and contexts made once."""
    from cryptography.hazmat.primitives import hashes, hmac
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.ciphers import aead

    made = rsa.generate_private_key
    p256 = partial(ec.generate_private_key, ec.SECP256R1())
    names: _Names = {
        "ed25519": _signer("ed25519", ed25519.Ed25519PrivateKey.generate),
        "p256": _signer("p256", p256),
        "rsa2048": _signer("rsa2048", partial(made, 65537, 2048)),
        "rsa3072": _signer("rsa3072", partial(made, 65537, 3072)),
        "gcm": lambda: _to_open(aead.AESGCM(bytes(32))),
        "chacha": lambda: {"chacha": aead.ChaCha20Poly1305(bytes(32))},
        "h": lambda: {
            "HMAC": hmac.HMAC,
            "SHA256": hashes.SHA256,
            "key": bytes(32),
        },
    }
    mac = "h = HMAC(key, SHA256()); h.update(MESSAGE); h.finalize()"
    return _timed(_SIGN | _AEAD | {"hmac_64": mac}, names)


def of_pynacl() -> _Operations:
    """Give what PyNaCl has of them, by its lowest calls."""
    from nacl import bindings, signing

    names: _Names = {
        "ed25519": lambda: {"ed25519": signing.SigningKey.generate()},
        "seal": lambda: {
            "seal": bindings.crypto_aead_chacha20poly1305_ietf_encrypt,
            "key": bytes(32),
        },
    }
    statements = {
        "ed25519_sign": "ed25519.sign(MESSAGE)",
        "chacha20_64": "seal(MESSAGE, None, NONCE, key)",
        "chacha20_1m": "seal(LONG_MESSAGE, None, NONCE, key)",
    }
    return _timed(statements, names)


def of_secretmem() -> _Operations:
    """Give ours; the gate is chosen before."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from secretmem import Secret, keys
    from secretmem.crypto import aead, mac

    made = keys.RSAPrivateKey.generate
    p256 = partial(keys.EllipticCurvePrivateKey.generate, ec.SECP256R1())
    names: _Names = {
        "ed25519": _signer("ed25519", keys.Ed25519PrivateKey.generate),
        "p256": _signer("p256", p256),
        "rsa2048": _signer("rsa2048", partial(made, 2048)),
        "rsa3072": _signer("rsa3072", partial(made, 3072)),
        "gcm": lambda: _to_open(aead.AESGCM.generate()),
        "chacha": lambda: {"chacha": aead.ChaCha20Poly1305.generate()},
        "hmac": lambda: {"hmac": mac.Hmac(Secret.random(32))},
    }
    return _timed(_SIGN | _AEAD | {"hmac_64": "hmac.digest(MESSAGE)"}, names)
