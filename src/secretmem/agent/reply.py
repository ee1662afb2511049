"""Replies that are more than bytes."""

from __future__ import annotations

import mmap
import os
import socket
from typing import TYPE_CHECKING

from secretmem import Secret, handover
from secretmem.agent import wire


if TYPE_CHECKING:
    from typing import Protocol

    class Waiting(Protocol):
        """What is left to send."""

        def send(self, connection: socket.socket) -> bool:
            """Send on; tell whether that was all."""


class HiddenReply:
    """
    A reply that ends with a secret, sent from secret memory.

    The kernel copies from there; no object of the interpreter holds it.
    """

    def __init__(self, head: bytes, secret: Secret) -> None:
        """Answer ``head`` and the secret as a string."""
        size = len(head) + 4 + len(secret)
        self._head = wire.u32(size) + head + wire.u32(len(secret))
        self._secret = secret
        self._sent = 0

    @property
    def room(self) -> int:
        """Bytes of secret memory that it takes."""
        return len(self._secret)

    def send(self, connection: socket.socket) -> bool:
        """Send on; tell whether that was all."""
        head = self._head[self._sent :]
        skip = max(self._sent - len(self._head), 0)
        with self._secret.reveal() as view:
            self._sent += connection.sendmsg([head, view[skip:]])
        done = self._sent == len(self._head) + len(self._secret)
        if done:
            self._secret.close()
        return done

    def drop(self) -> None:
        """Wipe it."""
        self._secret.close()


class HandedOver:
    """A reply with a descriptor of pages that hold a copy of a secret."""

    def __init__(self, head: bytes, secret: Secret) -> None:
        """Answer ``head`` and the size; the copy travels by SCM_RIGHTS."""
        self._message = wire.frame(head + wire.u32(len(secret)))
        self._fd = handover.to_descriptor(secret)

    @property
    def room(self) -> int:
        """Bytes of secret memory that it takes: at least a page."""
        return mmap.PAGESIZE

    def send(self, connection: socket.socket) -> bool:
        """Send it at once."""
        # Short, and the first of its connection that waits: it fits.
        socket.send_fds(connection, [self._message], [self._fd])
        self.drop()
        return True

    def drop(self) -> None:
        """Close our descriptor; the other side has its own."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
