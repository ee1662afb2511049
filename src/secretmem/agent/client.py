"""
Talk to an SSH agent, ours or another.

::

    from secretmem.agent.client import Client

    with Client() as agent:
        for identity in agent.identities():
            print(identity.comment)

With the second socket of ``secretmem agent -x``, secrets that stay there
are used by the classes of those that are here::

    with Client.second() as agent:
        cipher = agent.cipher("session")
        sealed = cipher.encrypt(nonce, b"data")
"""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

from secretmem import Secret, _descriptors, _policy, handover
from secretmem.agent import messages, status, wire
from secretmem.agent.errors import (
    AgentError,
    AgentProtocolError,
    AgentRefusedError,
)
from secretmem.agent.wire import Fields, WireError


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from secretmem import _native
    from secretmem.agent.remote import RemoteCipher, RemoteHmac
    from secretmem.keys import (
        Ed25519PrivateKey,
        EllipticCurvePrivateKey,
        RSAPrivateKey,
    )
else:
    _native = _policy.bind()


__all__ = (
    "AgentError",
    "AgentProtocolError",
    "AgentRefusedError",
    "Client",
    "Listed",
)

_HEAD = 5
_ENDED = "the agent ended the connection"


class Listed(NamedTuple):
    """An identity of an agent: its public key blob and its comment."""

    blob: bytes
    comment: str


class Client:
    """
    A connection to an agent, for one thread at a time.

    Each method blocks until the agent has replied.

    Args:
        path: The socket; SSH_AUTH_SOCK says it by default.
        timeout: Seconds to wait for a reply; None is for ever, as a user may
            have to be asked.

    Raises:
        AgentError: No agent is there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        place = os.environ.get("SSH_AUTH_SOCK") if path is None else path
        if not place:
            raise AgentError("no agent: SSH_AUTH_SOCK is not set")
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.fspath(place))
        except OSError as error:
            self._socket.close()
            text = f"no agent at {place}: {error.strerror}"
            raise AgentError(text) from None
        # Reads go straight into secret memory where that is wanted.
        self._socket.settimeout(0)

    @classmethod
    def second(cls, *, timeout: float | None = None) -> Self:
        """
        Connect to the second socket, which SECRETMEM_AGENT_SOCK names.

        Raises:
            AgentError: It is not set, or no agent is there.
        """
        path = os.environ.get("SECRETMEM_AGENT_SOCK")
        if not path:
            raise AgentError("no agent: SECRETMEM_AGENT_SOCK is not set")
        return cls(path, timeout=timeout)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- any agent ------------------------------------------------------------

    def identities(self) -> list[Listed]:
        """List the keys; a locked agent shows none."""
        kind, fields = self._ask(
            bytes([messages.SSH_AGENTC_REQUEST_IDENTITIES])
        )
        if kind != messages.SSH_AGENT_IDENTITIES_ANSWER:
            raise AgentRefusedError("the agent does not list its keys")
        try:
            return [
                Listed(
                    fields.string(), fields.string().decode(errors="replace")
                )
                for _ in range(fields.u32())
            ]
        except WireError as error:
            raise AgentProtocolError(str(error)) from None

    def sign(self, blob: bytes, data: bytes, flags: int = 0) -> bytes:
        """
        Sign with the key of a blob; returns the signature as ssh has it.

        Args:
            blob: Of `identities`.
            data: What to sign.
            flags: 2 for RSA with SHA-256, 4 for RSA with SHA-512.

        Raises:
            AgentRefusedError: No such key, or its use was not allowed.
        """
        request = bytes([messages.SSH_AGENTC_SIGN_REQUEST])
        request += wire.strings(blob, data) + wire.u32(flags)
        kind, fields = self._ask(request)
        if kind != messages.SSH_AGENT_SIGN_RESPONSE:
            raise AgentRefusedError("the agent does not sign")
        return self._string(fields)

    def lock(self, passphrase: Secret) -> None:
        """Lock the agent; the passphrase goes from secret memory."""
        self._with_passphrase(messages.SSH_AGENTC_LOCK, passphrase)

    def unlock(self, passphrase: Secret) -> None:
        """Unlock the agent."""
        self._with_passphrase(messages.SSH_AGENTC_UNLOCK, passphrase)

    def _with_passphrase(self, kind: int, passphrase: Secret) -> None:
        size = len(passphrase)
        head = wire.u32(5 + size) + bytes([kind]) + wire.u32(size)
        self._send(head)
        passphrase.write_to(self._socket)
        if self._reply()[0] != messages.SSH_AGENT_SUCCESS:
            raise AgentRefusedError("the agent refuses the passphrase")

    # -- the second socket ----------------------------------------------------

    def status(self) -> dict[str, Any]:
        """
        Return what ``secretmem agent status --json`` prints.

        Raises:
            AgentRefusedError: The agent is locked, or none of ours.
            AgentProtocolError: What came is no status.
        """
        return status.read(self.extension("status"))

    def sleep(self) -> None:
        """
        Let the agent seal its keys and give all secret memory back.

        It sleeps when this returns: the machine can hibernate then.

        Raises:
            AgentRefusedError: It was started without ``--hibernation=allow``,
                or could not seal its keys.
        """
        self._extension_fields("sleep")
        # Nothing more is read by the agent that is still awake.
        self._extension_fields("asleep")

    def wake(self) -> None:
        """
        Let an agent that sleeps take its keys back; the user may be asked.

        Raises:
            AgentRefusedError: There was no passphrase, or none that fits.
        """
        self._extension_fields("wake")

    def cipher(self, name: str) -> RemoteCipher:
        """Return a cipher whose key stays in the agent."""
        from secretmem.agent.remote import cipher

        return cipher(self, name, self._purpose(name))

    def hmac(self, name: str) -> RemoteHmac:
        """Return an Hmac whose key stays in the agent."""
        from secretmem.agent.remote import RemoteHmac

        return RemoteHmac(self, name, self._purpose(name))

    def private_key(
        self, name: str
    ) -> Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey:
        """Return a private key that stays in the agent."""
        from secretmem.agent.remote import private_key

        return private_key(self, name)

    def open_age(self, name: str, file: bytes) -> Secret:
        """Decrypt an age file with identities that stay in the agent."""
        return self.extension_to_secret("age-open", name, file)

    def take(self, name: str) -> Secret:
        """
        Take a copy of a secret that ``--allow-export`` names.

        It travels as a descriptor of secret memory (SCM_RIGHTS), never as
        bytes in a message.

        Raises:
            AgentRefusedError: There is none, or it is not named there.
            AgentProtocolError: What came is no secret of `secretmem.handover`.
        """
        self._send(_extension("export", name))
        self._wait()
        # The kernel gives descriptors with the first byte of their message.
        data, fds, _ = _descriptors.receive(self._socket, _HEAD, 1)
        try:
            if not data:
                raise AgentProtocolError(_ENDED)
            data += self._exactly(_HEAD - len(data))
            kind, left = self._parsed(data)
            fields = Fields(self._exactly(left))
            self._check(kind)
            return self._taken(fields, fds, name)
        finally:
            for fd in fds:
                os.close(fd)

    @staticmethod
    def _taken(fields: Fields, fds: list[int], name: str) -> Secret:
        """Copy what a reply has handed over."""
        if len(fds) != 1:
            raise AgentProtocolError(
                f"the reply has {len(fds)} descriptors, not 1"
            )
        try:
            fields.string()
            size = fields.u32()
            secret = handover.from_descriptor(fds[0], name=name)
        except (WireError, ValueError) as error:
            raise AgentProtocolError(str(error)) from None
        if len(secret) != size:
            secret.close()
            raise AgentProtocolError("the reply tells another size")
        return secret

    def _purpose(self, name: str) -> str:
        purpose = status.purpose(self.status(), name)
        if purpose is None:
            raise AgentRefusedError(f"the agent has no secret {name!r}")
        return purpose

    def extension(self, name: str, *parts: str | bytes) -> bytes:
        """Ask an extension ``NAME@secretmem``; return its answer."""
        return self._string(self._extension_fields(name, *parts))

    def _extension_fields(self, name: str, *parts: str | bytes) -> Fields:
        """Ask an extension; return the fields of its answer."""
        kind, fields = self._ask(_extension(name, *parts)[4:])
        self._check(kind)
        self._string(fields)
        return fields

    def extension_to_secret(self, name: str, *parts: str | bytes) -> Secret:
        """Ask an extension whose answer goes into secret memory."""
        self._send(_extension(name, *parts))
        kind, left = self._head()
        if kind != messages.SSH_AGENT_EXTENSION_RESPONSE:
            self._exactly(left)
            self._check(kind)
        # The extension's name, and the length of what follows.
        around = 4 + len(f"{name}@secretmem") + 4
        if left < around:
            raise AgentProtocolError("the reply ends too soon")
        self._exactly(around)
        intake = _native.IntakeBase(left - around)
        while not intake.read(self._socket.fileno()):
            self._wait()
        return intake.finish(Secret, None)

    # -- messages -------------------------------------------------------------

    def _check(self, kind: int) -> None:
        if kind != messages.SSH_AGENT_EXTENSION_RESPONSE:
            raise AgentRefusedError(
                "the agent refuses: no such secret, another purpose, or the "
                "data do not fit"
            )

    @staticmethod
    def _string(fields: Fields) -> bytes:
        try:
            return fields.string()
        except WireError as error:
            raise AgentProtocolError(str(error)) from None

    def _ask(self, message: bytes) -> tuple[int, Fields]:
        self._send(wire.frame(message))
        return self._reply()

    def _reply(self) -> tuple[int, Fields]:
        kind, left = self._head()
        return kind, Fields(self._exactly(left))

    def _head(self) -> tuple[int, int]:
        """Read the number of a reply and the bytes that follow it."""
        return self._parsed(self._exactly(_HEAD))

    @staticmethod
    def _parsed(head: bytes) -> tuple[int, int]:
        left = int.from_bytes(head[:4], "big") - 1
        if not 0 <= left <= messages.MOST_MESSAGE:
            raise AgentProtocolError("the reply has no possible length")
        return head[4], left

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._wait()
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise AgentProtocolError(_ENDED)
            data += piece
        return data

    def _send(self, data: bytes) -> None:
        if len(data) > messages.MOST_MESSAGE:
            raise AgentError("a message has at most 256 KiB")
        self._socket.settimeout(self._timeout)
        try:
            self._socket.sendall(data)
        except OSError as error:
            text = f"the agent ended the connection: {error}"
            raise AgentError(text) from None
        finally:
            self._socket.settimeout(0)

    def _wait(self) -> None:
        # Not select(2), which knows no descriptor beyond 1023.
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        timeout = self._timeout
        if not ready.poll(None if timeout is None else timeout * 1000):
            raise AgentError("the agent does not answer in time")


def _extension(name: str, *parts: str | bytes) -> bytes:
    """Build the frame of a request."""
    fields = [p.encode() if isinstance(p, str) else p for p in parts]
    whole = wire.strings(f"{name}@secretmem".encode(), *fields)
    return wire.frame(bytes([messages.SSH_AGENTC_EXTENSION]) + whole)
