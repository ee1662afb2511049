"""
The second socket: extensions ``...@secretmem``, and all of the first.

It is never the one of SSH_AUTH_SOCK, which a forwarded host can reach; and
a connection that ssh says it has forwarded gets none of the extensions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from secretmem import SecretmemError, age
from secretmem.agent import messages, named, publickey, status, wire
from secretmem.agent.reply import HandedOver, HiddenReply
from secretmem.agent.session import Session
from secretmem.agent.wire import Fields, WireError


if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from secretmem.agent.named import Named
    from secretmem.agent.session import Reply


STATUS = b"status@secretmem"
SEAL = b"seal@secretmem"
OPEN = b"open@secretmem"
MAC = b"mac@secretmem"
PUBLIC = b"public@secretmem"
SIGN = b"sign@secretmem"
AGE_OPEN = b"age-open@secretmem"
EXPORT = b"export@secretmem"
SLEEP = b"sleep@secretmem"
WAKE = b"wake@secretmem"
ASLEEP = b"asleep@secretmem"


class ExtraSession(Session):
    """A connection to the second socket."""

    always = frozenset({SLEEP, WAKE, ASLEEP})

    def extensions(self) -> tuple[bytes, ...]:
        """Return the names of the extensions of this socket."""
        return (
            *super().extensions(),
            STATUS,
            *sorted(self.always),
            *_ACTIONS,
        )

    def extend(self, name: bytes, fields: Fields) -> Reply:
        """Answer an extension, to this machine only."""
        if self.bindings.remote:
            return messages.FAILURE
        if name in self.always:
            fields.end()
            return self._rest(name)
        if name == STATUS:
            fields.end()
            text = json.dumps(status.of(self.state))
            return answer(STATUS) + wire.string(text.encode())
        action = _ACTIONS.get(name)
        if action is None:
            return messages.FAILURE
        try:
            secret = self.state.named.get(fields.text())
            if secret is None:
                return messages.EXTENSION_FAILURE
            reply = action(secret, fields)
        except (SecretmemError, ValueError, OverflowError, OSError):
            # A wrong tag, a wrong purpose, a damaged file: no more is said.
            return messages.EXTENSION_FAILURE
        secret.uses += 1
        what = name.partition(b"@")[0].decode()
        self.state.uses.note(f"{what} {secret.name!r}", self.peer)
        return reply

    def _rest(self, name: bytes) -> bytes:
        """Answer about sleep; the agent is awake."""
        sleep = self.state.sleep
        if name == WAKE:
            return answer(name)
        if name == ASLEEP or sleep is None:
            return messages.EXTENSION_FAILURE
        sleep.begin(self.peer)
        return answer(name)


def answer(name: bytes) -> bytes:
    """Begin the answer to an extension."""
    return bytes([messages.SSH_AGENT_EXTENSION_RESPONSE]) + wire.string(name)


def _for(secret: Named, purposes: Container[str]) -> Named:
    """Check the purpose of a secret."""
    if secret.purpose not in purposes:
        raise WireError("the secret is for another purpose")
    return secret


def _three(fields: Fields) -> tuple[bytes, bytes, bytes]:
    parts = fields.string(), fields.string(), fields.string()
    fields.end()
    return parts


def _one(fields: Fields) -> bytes:
    part = fields.string()
    fields.end()
    return part


def _seal(secret: Named, fields: Fields) -> Reply:
    cipher = _for(secret, named.CIPHERS).key
    nonce, aad, data = _three(fields)
    return answer(SEAL) + wire.string(cipher.encrypt(nonce, data, aad))


def _open(secret: Named, fields: Fields) -> Reply:
    cipher = _for(secret, named.CIPHERS).key
    nonce, aad, data = _three(fields)
    plain = cipher.decrypt_to_secret(nonce, data, aad)
    return HiddenReply(answer(OPEN), plain)


def _mac(secret: Named, fields: Fields) -> Reply:
    mac = _for(secret, named.MACS).key
    return answer(MAC) + wire.string(mac.digest(_one(fields)))


def _public(secret: Named, fields: Fields) -> Reply:
    """Tell the kind, the bits and the public half of a private key."""
    fields.end()
    key = _for(secret, (named.SIGN,)).key
    kind = getattr(key, "kind", "ed25519").encode()
    bits = wire.u32(getattr(key, "bits", 256))
    told = wire.string(kind) + bits + wire.string(key.public())
    return answer(PUBLIC) + told


def _sign(secret: Named, fields: Fields) -> Reply:
    """Sign a message by Ed25519, or a digest by the others."""
    key = _for(secret, (named.SIGN,)).key
    scheme, *words = fields.text().split()
    data = fields.string()
    fields.end()
    kind = named.kind_of(secret)
    if scheme == "ed25519" and kind == publickey.ED25519:
        signature = key.sign(data)
    elif scheme == "ecdsa" and kind in publickey.CURVES:
        signature = key.sign_ecdsa(data)
    elif scheme == "pkcs1" and kind == publickey.RSA:
        (algorithm,) = words
        signature = key.sign_pkcs1(algorithm, data)
    elif scheme == "pss" and kind == publickey.RSA:
        algorithm, mask, salt = words
        signature = key.sign_pss(algorithm, mask, int(salt), data)
    else:
        raise WireError("the key does not sign by this scheme")
    return answer(SIGN) + wire.string(signature)


def _age_open(secret: Named, fields: Fields) -> Reply:
    identities = _for(secret, (named.AGE,)).key
    plain = age.decrypt(_one(fields), identities, max_size=_MOST_PLAIN)
    return HiddenReply(answer(AGE_OPEN), plain)


def _export(secret: Named, fields: Fields) -> Reply:
    fields.end()
    if not secret.exported:
        raise WireError("--allow-export does not name the secret")
    return HandedOver(answer(EXPORT), secret.secret)


# Bytes of the longest content of an age file: less than a message has.
_MOST_PLAIN = messages.MOST_MESSAGE - 1024

_ACTIONS: dict[bytes, Callable[[Named, Fields], Reply]] = {
    SEAL: _seal,
    OPEN: _open,
    MAC: _mac,
    PUBLIC: _public,
    SIGN: _sign,
    AGE_OPEN: _age_open,
    EXPORT: _export,
}
