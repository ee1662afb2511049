"""
Running SSH agents with a needle for a key: ours, and plain ones.

They are children of the attacker, without capabilities as it is itself: so
that what counts is what the kernel lets a process of the same user do.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from secretmem.agent import messages, wire
from secretmem.agent.wire import Fields
from secretmem.prove import kinds, linux
from secretmem.prove.attack import CannotRunError
from secretmem.prove.needle import Needle


if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SECONDS = 30.0
_KIND = b"ssh-ed25519"


class Agent:
    """
    A running agent whose only key has the needle for its seed.

    ``address`` is where the seed is, for an agent that has one address.
    """

    def __init__(self, kind: str, directory: Path) -> None:
        """
        Start one, add the key and let it sign.

        Raises:
            CannotRunError: It does not start, or does not sign.
        """
        self.needle = Needle()
        self.address: int | None = None
        self._ours = kind in kinds.SECRET_KINDS
        start = self._start_ours if self._ours else self._start_plain
        self._process, self._socket = start(kind, directory)
        try:
            self._socket.settimeout(_SECONDS)
            self._use()
        except (OSError, InvalidSignature) as error:
            self.stop()
            name = type(error).__name__
            raise CannotRunError(f"the agent does not sign: {name}") from None

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Return the agent."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def stop(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _start_ours(
        self, kind: str, directory: Path
    ) -> tuple[subprocess.Popen[bytes], socket.socket]:
        path = directory / "agent.sock"
        path.unlink(missing_ok=True)
        env = dict(os.environ)
        if kind == kinds.DEGRADED:
            env["SECRETMEM_BACKEND"] = "mlock"
        program = ("secretmem.cli.main", "agent", "-D", "-a", str(path))
        process = _run(program, subprocess.DEVNULL, env)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and process.poll() is None:
            client = socket.socket(socket.AF_UNIX)
            if not client.connect_ex(os.fspath(path)):
                return process, client
            client.close()
            select.select([], [], [], 0.02)
        process.kill()
        process.wait()
        raise CannotRunError("the agent does not start")

    @staticmethod
    def _start_plain(
        kind: str, directory: Path
    ) -> tuple[subprocess.Popen[bytes], socket.socket]:
        del directory
        client, theirs = socket.socketpair(socket.AF_UNIX)
        with theirs:
            program = ("secretmem.prove.plain_agent", kind)
            process = _run(program, theirs.fileno(), dict(os.environ))
        return process, client

    def _use(self) -> None:
        """Add the key, sign with it, and verify the signature."""
        seed = self.needle.text
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        public = key.public_key().public_bytes_raw()
        fields = wire.strings(_KIND, public, seed + public, b"needle")
        add = bytes([messages.SSH_AGENTC_ADD_IDENTITY]) + fields
        if self._ask(add) != messages.SUCCESS:
            raise CannotRunError("the agent does not take the key")
        if not self._ours and self._process.stdout is not None:
            self.address = int(self._process.stdout.readline())
        blob = wire.strings(_KIND, public)
        request = bytes([messages.SSH_AGENTC_SIGN_REQUEST])
        request += wire.strings(blob, b"data") + wire.u32(0)
        reply = self._ask(request)
        if reply[:1] != bytes([messages.SSH_AGENT_SIGN_RESPONSE]):
            raise CannotRunError("the agent does not sign")
        signature = Fields(reply[1:]).fields()
        signature.string()
        key.public_key().verify(signature.string(), b"data")

    def _ask(self, message: bytes) -> bytes:
        self._socket.sendall(wire.frame(message))
        size = int.from_bytes(self._exactly(4), "big")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise CannotRunError("the agent ended")
            data += piece
        return data


def _run(
    program: tuple[str, ...], stdin: int, env: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Run a module of ours, which ends with this process."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *program],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 - an attacker has one thread
    )


def _end_with_parent() -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
