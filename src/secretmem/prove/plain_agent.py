"""
An SSH agent as simple as one can be: the control of the row ``agent``.

``python -m secretmem.prove.plain_agent KIND`` serves the connection at
standard input.  It takes one Ed25519 key, keeps its seed in memory of KIND
(`kinds`), says where on standard output, and signs.  As the other victims it
stays dumpable and may be traced.
"""

from __future__ import annotations

import socket
import sys

from secretmem.agent import messages, wire
from secretmem.agent.wire import Fields
from secretmem.prove import kinds, linux


# An add message up to the seed: length, number, type, public key, and the
# length of seed and public key (RFC 9987, section 3.2.3).
HEAD = 4 + 1 + (4 + 11) + (4 + 32) + 4
SEED = 32


def main() -> int:
    """Serve until the end of the connection."""
    linux.invite_attackers()
    place = kinds.make(sys.argv[1])
    with socket.socket(fileno=0) as connection:
        size = int.from_bytes(_exactly(connection, HEAD)[:4], "big")
        place.fill(connection.fileno(), SEED)
        _exactly(connection, 4 + size - HEAD - SEED)
        span = place.known()
        print(span.address if span else 0, flush=True)  # noqa: T201 - its result
        connection.sendall(wire.frame(messages.SUCCESS))
        while head := connection.recv(4):
            request = _exactly(connection, int.from_bytes(head, "big"))
            connection.sendall(wire.frame(_signed(place, request)))
    return 0


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError("the client ended in the middle of a message")
        data += piece
    return data


def _signed(place: kinds.Place, request: bytes) -> bytes:
    """Answer a sign request."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    fields = Fields(request)
    if fields.byte() != messages.SSH_AGENTC_SIGN_REQUEST:
        return messages.FAILURE
    fields.string()
    key = ed25519.Ed25519PrivateKey.from_private_bytes(place.value())
    signature = wire.strings(b"ssh-ed25519", key.sign(fields.string()))
    answer = bytes([messages.SSH_AGENT_SIGN_RESPONSE])
    return answer + wire.string(signature)


if __name__ == "__main__":
    sys.exit(main())
