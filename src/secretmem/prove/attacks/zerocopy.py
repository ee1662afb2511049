"""Let the victim send its secret without a copy, MSG_ZEROCOPY, send(2)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from secretmem.prove import linux
from secretmem.prove.attack import Attack, CannotRunError, Cell, Layer
from secretmem.prove.reading import seen, try_inside
from secretmem.prove.stage import read_all


if TYPE_CHECKING:
    from secretmem.prove.kinds import Place
    from secretmem.prove.stage import Stage


_SO_ZEROCOPY = 60  # include/uapi/asm-generic/socket.h


def inside(
    _place: Place, fds: list[int], *, address: int, size: int
) -> dict[str, Any]:
    """Send the secret by reference."""
    with socket.socket(fileno=fds.pop()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, _SO_ZEROCOPY, 1)
        number, flags = connection.fileno(), linux.MSG_ZEROCOPY
        return {"result": linux.send_from(number, address, size, flags)}


def run(stage: Stage, kind: str) -> Cell:
    """Connect over TCP on the loopback interface and receive."""
    ours, theirs = _connected()
    how = "send(2) of the secret with MSG_ZEROCOPY"
    with ours, theirs, stage.victim(kind) as victim:
        with victim.opened() as span:
            number = theirs.fileno()
            cell = try_inside(victim, how, "zerocopy", span, number)
            theirs.close()
            data = b"" if cell else read_all(ours.fileno())
        return cell or seen(kind, victim.needle, data, how)


def _connected() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a TCP connection within this machine."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname(), timeout=30)
            far, _ = server.accept()
    except OSError as error:
        name = linux.error_name(error.errno)
        raise CannotRunError(f"no TCP on the loopback: {name}") from error
    return near, far


ATTACK = Attack(
    name="zerocopy",
    title="send with MSG_ZEROCOPY",
    layer=Layer.KERNEL,
    explanation=(
        "The network stack is to take the secret's page as it is, for the "
        "network card to read. Pinning it is refused."
    ),
    run=run,
)
