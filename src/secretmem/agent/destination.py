"""
Keys that work only towards some hosts (PROTOCOL.agent of OpenSSH, 2).

A key with destinations is seen, used and removed only over a connection
whose bound host keys (see ``binding``) are on a path that it allows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from secretmem.agent import messages, publickey, verify
from secretmem.agent.publickey import PublicKey  # noqa: TC001 - a field
from secretmem.agent.wire import Fields, WireError


if TYPE_CHECKING:
    from collections.abc import Sequence

    from secretmem.agent.binding import Binding


NAME = b"restrict-destination-v00@openssh.com"


class HostKey(NamedTuple):
    """A host's key, or the CA that signs it."""

    key: PublicKey
    is_ca: bool


class Hop(NamedTuple):
    """One end of a way: a host with its keys; the agent's own has none."""

    user: str
    hostname: str
    keys: tuple[HostKey, ...]


class Destination(NamedTuple):
    """A way that a key may be used on."""

    origin: Hop
    target: Hop


def read(data: bytes) -> tuple[Destination, ...]:
    """
    Read the constraint.

    Raises:
        WireError: It is damaged or allows nothing.
    """
    fields = Fields(data)
    found: list[Destination] = []
    while fields.left:
        if len(found) == messages.MOST_DESTINATIONS:
            raise WireError("too many destinations")
        found.append(_destination(fields.fields()))
    if not found:
        raise WireError("a destination constraint without destinations")
    return tuple(found)


def _destination(fields: Fields) -> Destination:
    origin, target = _hop(fields.fields()), _hop(fields.fields())
    if fields.string():
        raise WireError("a destination with parts that are not known here")
    fields.end()
    if bool(origin.hostname) != bool(origin.keys) or origin.user:
        raise WireError("a destination whose origin contradicts itself")
    if not target.hostname or not target.keys:
        raise WireError("a destination without a host or its keys")
    return Destination(origin, target)


def _hop(fields: Fields) -> Hop:
    user, hostname = fields.text(), fields.text()
    if fields.string():
        raise WireError("a hop with parts that are not known here")
    keys = []
    while fields.left:
        key = publickey.read(fields.string())
        keys.append(HostKey(key, fields.flag()))
    return Hop(user, hostname, tuple(keys))


def permitted(
    destinations: Sequence[Destination],
    bindings: Sequence[Binding],
    user: str | None,
) -> bool:
    """
    Tell whether a key may be used over a connection.

    Args:
        destinations: Of the key, at least one.
        bindings: Of the connection, at least one, in their order.
        user: Whom a signature request logs in; None for other requests.
    """
    origin: PublicKey | None = None
    last = bindings[-1]
    for binding in bindings:
        final = binding is last
        # The way is forwarded up to its end, and signed for there only.
        if final and user is not None and binding.forwarded:
            return False
        if not final and not binding.forwarded:
            return False
        name = user if final else None
        if not _allows(destinations, origin, binding.key, name):
            return False
        origin = binding.key
    # A key that works to the last host but nowhere beyond it is hidden there.
    return (
        user is not None
        or not last.forwarded
        or _allows(destinations, last.key, None, None)
    )


def _allows(
    destinations: Sequence[Destination],
    origin: PublicKey | None,
    target: PublicKey | None,
    user: str | None,
) -> bool:
    return any(
        _leaves(each.origin, origin)
        and (target is None or _is_host(each.target, target))
        and _is_user(each.target, user)
        for each in destinations
    )


def _leaves(hop: Hop, origin: PublicKey | None) -> bool:
    if origin is None:
        return not hop.hostname
    return _is_host(hop, origin)


def _is_user(hop: Hop, user: str | None) -> bool:
    return not hop.user or user is None or publickey.matches(user, hop.user)


def _is_host(hop: Hop, key: PublicKey) -> bool:
    certificate = key.certificate
    if certificate is None:
        return any(not each.is_ca and each.key == key for each in hop.keys)
    signed = any(
        each.is_ca and each.key.plain == certificate.signer
        for each in hop.keys
    )
    return (
        signed
        and publickey.covers(certificate, hop.hostname, time.time())
        and verify.certificate_fits(key)
    )
