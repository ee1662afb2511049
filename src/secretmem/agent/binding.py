"""
Which SSH sessions a connection belongs to (PROTOCOL.agent of OpenSSH, 1).

A client tells the agent the host key and the session identifier of its
connection, with the host's signature over it, by the extension
``session-bind@openssh.com``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from secretmem.agent import messages, publickey, verify
from secretmem.agent.publickey import PublicKey  # noqa: TC001 - a field
from secretmem.agent.wire import Fields, WireError


NAME = b"session-bind@openssh.com"


class Binding(NamedTuple):
    """One session; ``forwarded`` when the agent was forwarded over it."""

    key: PublicKey
    session: bytes
    forwarded: bool


class Bindings:
    """The sessions of one connection, the nearest first."""

    def __init__(self) -> None:
        self.all: list[Binding] = []
        self.tried = False
        """A binding was asked for, even one that was refused."""
        self.remote = False
        """Another host may ask: forwarded there, or a binding failed."""

    def noted(self) -> dict[str, Any]:
        """Return what JSON can keep of them."""
        return {
            "tried": self.tried,
            "remote": self.remote,
            "all": [
                [publickey.blob(each.key).hex(), each.session.hex(), each[2]]
                for each in self.all
            ],
        }

    @classmethod
    def taken(cls, noted: dict[str, Any]) -> Bindings:
        """Make them anew of what was noted."""
        made = cls()
        made.tried, made.remote = noted["tried"], noted["remote"]
        for blob, session, forwarded in noted["all"]:
            key = publickey.read(bytes.fromhex(blob))
            made.all.append(Binding(key, bytes.fromhex(session), forwarded))
        return made

    def bind(self, fields: Fields) -> bool:
        """
        Take a binding; tell whether it is accepted.

        Raises:
            WireError: The request is damaged, or its key of a kind that is
                not known here.
        """
        self.tried = True
        accepted = False
        try:
            accepted = self._bind(fields)
        finally:
            forwarded = any(each.forwarded for each in self.all)
            self.remote = self.remote or forwarded or not accepted
        return accepted

    def _bind(self, fields: Fields) -> bool:
        key = publickey.read(fields.string())
        session, signature = fields.string(), fields.string()
        binding = Binding(key, session, fields.flag())
        fields.end()
        if len(session) > messages.MOST_SESSION_ID:
            raise WireError("a session identifier that is too long")
        if not verify.signature_fits(key, signature, session):
            return False
        return self._accept(binding)

    def _accept(self, binding: Binding) -> bool:
        for each in self.all:
            if not each.forwarded:
                # Bound for a login, which is its end.
                return False
            if each.session == binding.session:
                return each.key == binding.key
        if len(self.all) == messages.MOST_BINDINGS:
            return False
        self.all.append(binding)
        return True
