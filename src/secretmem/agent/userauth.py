"""What a login signs (RFC 4252, section 7, and PROTOCOL of OpenSSH)."""

from __future__ import annotations

from typing import NamedTuple

from secretmem.agent.wire import Fields, WireError


_USERAUTH_REQUEST = 50
_HOST_BOUND = b"publickey-hostbound-v00@openssh.com"
_CERTIFIED = b"-cert-v01@openssh.com"


class Login(NamedTuple):
    """A login request; ``host_key`` is a blob, or None where not named."""

    session: bytes
    user: str
    host_key: bytes | None


def read(data: bytes, blob: bytes) -> Login:
    """
    Read the data of a sign request as a login with the key ``blob``.

    Raises:
        WireError: It is something else.
    """
    fields = Fields(data)
    session = fields.string()
    kind, user = fields.byte(), fields.text()
    service, method = fields.string(), fields.string()
    signed, algorithm, key = fields.flag(), fields.string(), fields.string()
    host_key = fields.string() if method == _HOST_BOUND else None
    fields.end()
    if (
        not session
        or kind != _USERAUTH_REQUEST
        or service != b"ssh-connection"
        or method not in (b"publickey", _HOST_BOUND)
        or not signed
        or key != blob
        or _family(algorithm) != _family(Fields(blob).string())
    ):
        raise WireError("the data to sign is no login with this key")
    return Login(session, user, host_key)


def _family(algorithm: bytes) -> bytes:
    """Return the type of the keys that sign by an algorithm."""
    base = algorithm.removesuffix(_CERTIFIED)
    if base in (b"rsa-sha2-256", b"rsa-sha2-512"):
        base = b"ssh-rsa"
    return base + algorithm[len(algorithm.removesuffix(_CERTIFIED)) :]
