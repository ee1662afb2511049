"""
One connection's requests: parse, permitted?, act, reply.

No sockets here. A request that takes time is answered by a `Later`, which
the connection starts; meanwhile other connections go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from secretmem import SecretmemError
from secretmem.agent import (
    binding,
    destination,
    loading,
    messages,
    publickey,
    signing,
    userauth,
    wire,
)
from secretmem.agent.reply import HandedOver, HiddenReply
from secretmem.agent.wire import Fields, WireError


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem import Secret
    from secretmem.agent.identities import Identity
    from secretmem.agent.peer import Peer
    from secretmem.agent.state import State

    Done = Callable[["Reply"], None]


class Later(Protocol):
    """
    A reply that takes time.

    A call starts the work, which calls ``done`` with the reply; it returns
    what takes the work back.
    """

    def __call__(self, done: Done, /) -> Callable[[], None]:
        """Start."""


Reply: TypeAlias = bytes | HiddenReply | HandedOver | Later


class Session:
    """What one connection may ask, and what it was told so far."""

    always: ClassVar[frozenset[bytes]] = frozenset()
    """Extensions that a locked agent answers too."""

    def __init__(self, state: State, peer: Peer) -> None:
        self.state = state
        self.peer = peer
        self.bindings = binding.Bindings()

    def handle(self, kind: int, body: bytes) -> Reply:
        """Answer a request without a secret in it."""
        if kind == messages.SSH_AGENTC_SIGN_REQUEST:
            if self.state.lock.locked:
                return messages.FAILURE
            return self._guarded(self._sign, body)
        action = _ACTIONS.get(kind)
        if action is None:
            return messages.FAILURE
        return self._guarded(lambda data: action(self, data), body)

    def handle_secret(self, kind: int, body: Secret) -> Reply:
        """Answer a request that holds a key or a passphrase."""
        if kind in messages.KEYS:
            return self._add(kind, body)
        if kind == messages.SSH_AGENTC_LOCK:
            return self._lock(body)
        if kind == messages.SSH_AGENTC_UNLOCK:
            return self._unlock(body)
        # Keys on smart cards are not for this agent.
        body.close()
        return messages.FAILURE

    def _guarded(self, action: Callable[[bytes], Reply], body: bytes) -> Reply:
        try:
            return action(body)
        except (WireError, SecretmemError):
            return messages.FAILURE

    # -- who sees which key ---------------------------------------------------

    def permitted(self, identity: Identity, user: str | None = None) -> bool:
        """Tell whether this connection may see or use a key."""
        destinations = identity.constraints.destinations
        if not destinations:
            return True
        if not self.bindings.all:
            # Local use, unless a binding failed: then it may be anybody.
            return not self.bindings.tried
        return destination.permitted(destinations, self.bindings.all, user)

    def _find(self, blob: bytes) -> Identity | None:
        return self.state.identities.get(blob)

    # -- requests -------------------------------------------------------------

    def _identities(self, _body: bytes) -> bytes:
        seen = []
        if not self.state.lock.locked:
            seen = [i for i in self.state.identities if self.permitted(i)]
        answer = bytes([messages.SSH_AGENT_IDENTITIES_ANSWER])
        entries = [wire.strings(i.blob, i.comment) for i in seen]
        return answer + wire.u32(len(seen)) + b"".join(entries)

    def _sign(self, body: bytes) -> Reply:
        blob, data, flags = signing.read_request(body)
        identity = self._find(blob)
        if identity is None:
            return messages.FAILURE
        user = None
        if identity.constraints.destinations:
            user = self._check_login(identity, data)
            if user is None:
                self.state.uses.note("refuse", self.peer, identity)
                return messages.FAILURE
        if identity.constraints.confirm:
            return self._confirm(identity, data, flags, user)
        return self._make(identity, data, flags)

    def _make(self, identity: Identity, data: bytes, flags: int) -> Reply:
        """Sign, at once or in a thread."""
        if identity.kind in signing.QUICK:
            return self._made(identity, signing.sign(identity, data, flags))

        def later(done: Done) -> Callable[[], None]:
            def finish(result: object) -> None:
                if isinstance(result, bytes):
                    done(self._made(identity, result))
                else:
                    done(messages.FAILURE)

            self.state.loop.work(
                lambda: signing.sign(identity, data, flags), finish
            )
            return lambda: None

        return later

    def _made(self, identity: Identity, signature: bytes) -> bytes:
        self.state.used(identity, self.peer)
        answer = bytes([messages.SSH_AGENT_SIGN_RESPONSE])
        return answer + wire.string(signature)

    def _check_login(self, identity: Identity, data: bytes) -> str | None:
        """Return whom a key with destinations logs in, if it may."""
        bound = self.bindings.all
        if not bound:
            return None
        try:
            login = userauth.read(data, identity.blob)
            host = login.host_key and publickey.read(login.host_key)
        except WireError:
            return None
        if not self.permitted(identity, login.user):
            return None
        if login.session != bound[-1].session:
            return None
        # Only the first hop may leave the host's key unnamed.
        if host is None and len(bound) > 1:
            return None
        if host is not None and host != bound[-1].key:
            return None
        return login.user

    def _confirm(
        self, identity: Identity, data: bytes, flags: int, user: str | None
    ) -> Later:
        prompt = (
            f"Allow use of key {identity.name}?\n"
            f"Key fingerprint {identity.fingerprint}.\n"
            f"Asked for by {self.peer}."
        )
        if user is not None:
            prompt += f"\nLogin of user {user!r} to a listed host."

        def later(done: Done) -> Callable[[], None]:
            def answered(yes: bool) -> None:  # noqa: FBT001 - a verdict
                # It may have ended, or the agent been locked, meanwhile.
                found = self._find(identity.blob)
                if yes and found is identity and not self.state.lock.locked:
                    done(self._make(identity, data, flags))
                else:
                    self.state.uses.note("refuse", self.peer, identity)
                    done(messages.FAILURE)

            return self.state.asker.ask(prompt, answered)

        return later

    def _remove(self, body: bytes) -> bytes:
        fields = Fields(body)
        identity = self._find(fields.string())
        fields.end()
        if identity is None or not self.permitted(identity):
            return messages.FAILURE
        self.state.identities.remove(identity)
        self.state.uses.note("remove", self.peer, identity)
        return messages.SUCCESS

    def _remove_all(self, _body: bytes) -> bytes:
        self.state.identities.clear()
        self.state.uses.note("remove all", self.peer)
        return messages.SUCCESS

    def _add(self, kind: int, body: Secret) -> Reply:
        if self.state.lock.locked:
            body.close()
            return messages.FAILURE
        constrained = kind == messages.SSH_AGENTC_ADD_ID_CONSTRAINED

        def finish(result: object) -> bytes:
            body.close()
            identity = loading.identity(result, constrained=constrained)
            if identity is None:
                failed = isinstance(result, BaseException)
                why = type(result).__name__ if failed else "constraints"
                self.state.uses.note(f"refuse add ({why})", self.peer)
            if identity is None or self.state.lock.locked:
                return messages.FAILURE
            old = self._find(identity.blob)
            if old is not None and not self.permitted(old):
                identity.key.close()
                return messages.FAILURE
            self.state.identities.add(identity)
            self.state.added(identity, self.peer)
            return messages.SUCCESS

        def later(done: Done) -> Callable[[], None]:
            self.state.loop.work(
                lambda: loading.parts(body), lambda r: done(finish(r))
            )
            return lambda: None

        return later

    def _lock(self, passphrase: Secret) -> bytes:
        if not self.state.lock.lock(passphrase):
            passphrase.close()
            return messages.FAILURE
        self.state.uses.note("lock", self.peer)
        return messages.SUCCESS

    def _unlock(self, passphrase: Secret) -> Reply:
        if not self.state.lock.locked:
            passphrase.close()
            return messages.FAILURE

        def later(done: Done) -> Callable[[], None]:
            def tried(fits: bool) -> None:  # noqa: FBT001 - a verdict
                what = "unlock" if fits else "fail to unlock"
                self.state.uses.note(what, self.peer)
                done(messages.SUCCESS if fits else messages.FAILURE)

            return self.state.lock.unlock(passphrase, self.peer.pid, tried)

        return later

    # -- extensions -----------------------------------------------------------

    def _extension(self, body: bytes) -> Reply:
        fields = Fields(body)
        name = fields.string()
        if name == binding.NAME:
            return self._bind(fields)
        if self.state.lock.locked and name not in self.always:
            return messages.FAILURE
        if name == b"query":
            fields.end()
            answer = bytes([messages.SSH_AGENT_EXTENSION_RESPONSE])
            return answer + wire.strings(b"query", *self.extensions())
        return self.extend(name, fields)

    def extensions(self) -> tuple[bytes, ...]:
        """Return the names of the extensions of this socket."""
        return (binding.NAME,)

    def extend(self, name: bytes, fields: Fields) -> Reply:
        """Answer another extension; this socket has none."""
        del name, fields
        return messages.FAILURE

    def _bind(self, fields: Fields) -> bytes:
        try:
            bound = self.bindings.bind(fields)
        except WireError:
            bound = False
        return messages.SUCCESS if bound else messages.EXTENSION_FAILURE

    def _if_open(self, action: Callable[[bytes], Reply], body: bytes) -> Reply:
        if self.state.lock.locked:
            return messages.FAILURE
        return action(body)


_ACTIONS: dict[int, Callable[[Session, bytes], Reply]] = {
    messages.SSH_AGENTC_REQUEST_IDENTITIES: Session._identities,  # noqa: SLF001 - its own table
    messages.SSH_AGENTC_REMOVE_IDENTITY: (
        lambda s, body: s._if_open(s._remove, body)  # noqa: SLF001 - as above
    ),
    messages.SSH_AGENTC_REMOVE_ALL_IDENTITIES: (
        lambda s, body: s._if_open(s._remove_all, body)  # noqa: SLF001 - as above
    ),
    messages.SSH_AGENTC_EXTENSION: Session._extension,  # noqa: SLF001 - as above
}
