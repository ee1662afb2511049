"""
Signatures of host keys and of certificates' signers.

They are public, and verified by the library ``cryptography`` in ordinary
memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.agent import publickey
from secretmem.agent.wire import Fields, WireError


if TYPE_CHECKING:
    from secretmem.agent.publickey import PublicKey


_RSA_HASHES = {b"rsa-sha2-256": "SHA256", b"rsa-sha2-512": "SHA512"}
_LEAST_RSA_BITS = 1024


def signature_fits(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether ``signature`` is the key's over ``data``."""
    from cryptography.exceptions import InvalidSignature

    try:
        fields = Fields(signature)
        kind, value = fields.string(), fields.string()
        fields.end()
        _verify(key, kind, value, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def certificate_fits(key: PublicKey) -> bool:
    """Tell whether the certificate of a key is signed by its signer."""
    certificate = key.certificate
    if certificate is None:
        return False
    try:
        signer = publickey.read(certificate.signer)
    except WireError:
        return False
    # A chain of certificates is not allowed.
    return signer.certificate is None and signature_fits(
        signer, certificate.signature, certificate.signed
    )


def _verify(key: PublicKey, kind: bytes, value: bytes, data: bytes) -> None:
    fields = Fields(key.plain)
    fields.string()
    if key.kind == publickey.RSA:
        if kind not in _RSA_HASHES:
            raise WireError("an RSA signature with another hash than SHA-2")
        _verify_rsa(fields, _RSA_HASHES[kind], value, data)
    elif kind != key.kind:
        raise WireError("a signature of another kind than its key")
    elif kind == publickey.ED25519:
        _verify_ed25519(fields, value, data)
    else:
        _verify_ecdsa(kind, fields, value, data)


def _verify_ed25519(fields: Fields, value: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = ed25519.Ed25519PublicKey.from_public_bytes(fields.string())
    key.verify(value, data)


def _verify_ecdsa(
    kind: bytes, fields: Fields, value: bytes, data: bytes
) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    curves = {
        "p256": (ec.SECP256R1(), hashes.SHA256()),
        "p384": (ec.SECP384R1(), hashes.SHA384()),
        "p521": (ec.SECP521R1(), hashes.SHA512()),
    }
    curve, algorithm = curves[publickey.CURVES[kind][0]]
    fields.string()
    point = fields.string()
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    numbers = Fields(value)
    r, s = (int.from_bytes(numbers.string(), "big") for _ in range(2))
    numbers.end()
    signature = utils.encode_dss_signature(r, s)
    key.verify(signature, data, ec.ECDSA(algorithm))


def _verify_rsa(fields: Fields, name: str, value: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    e, n = (int.from_bytes(fields.string(), "big") for _ in range(2))
    if n.bit_length() < _LEAST_RSA_BITS:
        raise WireError("an RSA key that is too short")
    key = rsa.RSAPublicNumbers(e, n).public_key()
    # Some servers leave out zeros in front.
    value = value.rjust((n.bit_length() + 7) // 8, b"\0")
    key.verify(value, data, padding.PKCS1v15(), getattr(hashes, name)())
