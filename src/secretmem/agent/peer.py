"""Who is at the other end of a connection (SO_PEERCRED, unix(7))."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple


_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """The process that connected, as the kernel says."""

    pid: int
    uid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}[{self.pid}] uid {self.uid}"


def of(connection: socket.socket) -> Peer:
    """Return the peer of a connection."""
    raw = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size
    )
    pid, uid, _gid = _UCRED.unpack(raw)
    return Peer(pid, uid, _name(pid))


def is_allowed(peer: Peer) -> bool:
    """Tell whether a process may use this agent: ours, or root's."""
    return peer.uid in {0, os.geteuid()}


def _name(pid: int) -> str:
    """Return the name of a process, which it may choose freely."""
    try:
        text = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace")
    except OSError:
        return "?"
    return "".join(c if c.isprintable() else "?" for c in text.rstrip("\n"))
