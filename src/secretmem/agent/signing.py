"""Signatures as the SSH protocol encodes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from secretmem.agent import messages, publickey
from secretmem.agent.wire import WireError, string, strings


if TYPE_CHECKING:
    from secretmem.agent.identities import Identity


_LONG = 0x80


# Kinds whose signatures take no longer than a request may wait.
QUICK = frozenset({publickey.ED25519, b"ecdsa-sha2-nistp256"})


def sign(identity: Identity, data: bytes, flags: int) -> bytes:
    """
    Sign ``data``; return the signature blob.

    The flags choose the hash of RSA: SHA-512 or SHA-256; without one it is
    SHA-1, as RFC 9987 says, which servers of today refuse.
    """
    key: Any = identity.key
    kind = identity.kind
    if kind == publickey.ED25519:
        return strings(kind, key.sign(data))
    if kind == publickey.RSA:
        return _sign_rsa(key, data, flags)
    algorithm = publickey.CURVES[kind][1]
    digest = hashlib.new(algorithm, data).digest()
    return strings(kind, _two_numbers(key.sign_ecdsa(digest)))


def _sign_rsa(
    key: Any,  # noqa: ANN401 - a native key
    data: bytes,
    flags: int,
) -> bytes:
    if flags & messages.SSH_AGENT_RSA_SHA2_512:
        name, algorithm = b"rsa-sha2-512", "sha512"
    elif flags & messages.SSH_AGENT_RSA_SHA2_256:
        name, algorithm = b"rsa-sha2-256", "sha256"
    else:
        name, algorithm = b"ssh-rsa", "sha1"
    digest = hashlib.new(algorithm, data).digest()
    return strings(name, key.sign_pkcs1(algorithm, digest))


def _two_numbers(der: bytes) -> bytes:
    """
    Encode the library's ECDSA signature as two mpints.

    Both encodings of a number are the same but for the length in front;
    the numbers are shorter than 128 bytes.
    """
    at = 3 if der[1] & _LONG else 2
    out = b""
    for _ in range(2):
        length = der[at + 1]
        out += string(der[at + 2 : at + 2 + length])
        at += 2 + length
    return out


def read_request(body: bytes) -> tuple[bytes, bytes, int]:
    """
    Read a sign request: key blob, data, flags.

    Raises:
        WireError: It is damaged.
    """
    # What `wire.Fields` would do, in one go: this is each signature's way.
    start = 4 + int.from_bytes(body[:4], "big")
    data = start + 4
    end = data + int.from_bytes(body[start:data], "big")
    if end + 4 != len(body):
        raise WireError("the fields do not fill the request")
    return body[4:start], body[data:end], int.from_bytes(body[end:], "big")
