"""
Public keys and certificates as the SSH protocol encodes them.

RFC 4253, section 6.6 (RSA), RFC 5656 (ECDSA), RFC 8709 (Ed25519), and
PROTOCOL.certkeys of OpenSSH.
"""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import hashlib
from typing import NamedTuple

from secretmem.agent.wire import Fields, WireError, mpint, string, strings


_CERTIFIED = b"-cert-v01@openssh.com"
_HOST = 2

ED25519 = b"ssh-ed25519"
RSA = b"ssh-rsa"
CURVES = {
    b"ecdsa-sha2-nistp256": ("p256", "sha256"),
    b"ecdsa-sha2-nistp384": ("p384", "sha384"),
    b"ecdsa-sha2-nistp521": ("p521", "sha512"),
}
# Strings of the public key in a blob, after its type.
_NUMBERS = {ED25519: 1, RSA: 2} | dict.fromkeys(CURVES, 2)


class Certificate(NamedTuple):
    """What a certificate says, as far as the agent asks."""

    host: bool
    principals: tuple[str, ...]
    after: int
    before: int
    critical: bytes
    signer: bytes
    """The CA's public key blob."""
    signed: bytes
    signature: bytes


class PublicKey(NamedTuple):
    """
    A public key.

    ``plain`` is the blob of the key itself, also of one with a certificate.
    """

    kind: bytes
    plain: bytes
    certificate: Certificate | None


def read(blob: bytes) -> PublicKey:
    """
    Read a blob.

    Raises:
        WireError: It is damaged, or of a kind that the agent does not know.
    """
    fields = Fields(blob)
    kind = fields.string()
    base = plain_kind(kind)
    numbers = _NUMBERS.get(base)
    if numbers is None:
        raise WireError("a public key of a kind that is not known here")
    certified = base != kind
    if certified:
        fields.string()  # the nonce
    parts = [fields.string() for _ in range(numbers)]
    plain = strings(base, *parts)
    certificate = _certificate(fields, blob) if certified else None
    fields.end()
    return PublicKey(base, plain, certificate)


def blob(key: PublicKey) -> bytes:
    """Return what `read` has read."""
    if key.certificate is None:
        return key.plain
    return key.certificate.signed + string(key.certificate.signature)


def plain_kind(kind: bytes) -> bytes:
    """Return the type of the key in a certificate of type ``kind``."""
    return kind.removesuffix(_CERTIFIED)


def _certificate(fields: Fields, blob: bytes) -> Certificate:
    fields.u64()  # the serial number
    role = fields.u32()
    fields.string()  # the key's name
    names = fields.fields()
    principals = []
    while names.left:
        principals.append(names.text())
    after, before = fields.u64(), fields.u64()
    critical = fields.string()
    fields.string(), fields.string()  # extensions, reserved
    signer = fields.string()
    signed = blob[: len(blob) - fields.left]
    return Certificate(
        host=role == _HOST,
        principals=tuple(principals),
        after=after,
        before=before,
        critical=critical,
        signer=signer,
        signed=signed,
        signature=fields.string(),
    )


def covers(certificate: Certificate, hostname: str, now: float) -> bool:
    """Tell whether a host certificate is for this host now."""
    return (
        certificate.host
        and certificate.after <= now < certificate.before
        and not certificate.critical
        and any(
            matches(hostname.lower(), name.lower())
            for name in certificate.principals
        )
    )


def matches(text: str, pattern: str) -> bool:
    """Match OpenSSH's patterns: ``*`` and ``?``, and nothing else."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def of_ed25519(public: bytes) -> bytes:
    """Return the blob of an Ed25519 key, given its 32 bytes."""
    return strings(ED25519, public)


def of_rsa(exponent: bytes, modulus: bytes) -> bytes:
    """Return the blob of an RSA key, given its numbers, big endian."""
    return string(RSA) + mpint(exponent) + mpint(modulus)


def of_curve(curve: str, point: bytes) -> bytes:
    """Return the blob of a key on ``curve``, given its point."""
    kind = next(kind for kind, (name, _) in CURVES.items() if name == curve)
    return strings(kind, kind.removeprefix(b"ecdsa-sha2-"), point)


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint that ssh-keygen prints: of the plain key."""
    with contextlib.suppress(WireError):
        blob = read(blob).plain
    digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=")
    return f"SHA256:{digest.decode()}"
