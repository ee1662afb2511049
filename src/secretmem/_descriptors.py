"""Descriptors of this process: the standard ones, and those it is sent."""

from __future__ import annotations

import os


TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket


_STDERR = 2
# Of a descriptor's number: as a C int holds them whatever they are.
_MOST_DIGITS = 9


def keep_standard() -> None:
    """Open 0, 1 and 2 if they are closed, so that no secret gets them."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(fd, True)  # noqa: FBT003 - by position only
    os.close(fd)


def receive(
    sock: socket.socket, size: int, most: int
) -> tuple[bytes, list[int], bool]:
    """
    Receive bytes, and descriptors with them (unix(7), SCM_RIGHTS).

    No program that another thread starts meanwhile gets the descriptors:
    the kernel makes them so.  ``socket.recv_fds`` of Python 3.11 and 3.12
    drops the flag that asks for that.

    Args:
        sock: A socket of AF_UNIX.
        size: The most bytes of ordinary data.
        most: The descriptors that there is room for; one more may come.

    Returns:
        The data, the descriptors, and whether there were more than fit.

    Raises:
        OSError: As recvmsg(2).
    """
    import array
    import socket

    fds = array.array("i")
    data, control, flags, _ = sock.recvmsg(
        size,
        socket.CMSG_SPACE(most * fds.itemsize),
        socket.MSG_CMSG_CLOEXEC,
    )
    for level, kind, content in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = len(content) - len(content) % fds.itemsize
            fds.frombytes(content[:whole])
    return data, fds.tolist(), bool(flags & socket.MSG_CTRUNC)


def named(variable: str) -> dict[str, int]:
    """
    Read a variable ``NAME=FD:NAME=FD...`` with this program's descriptors.

    Raises:
        ValueError: It is another text.
    """
    text = os.environ.get(variable, "")
    found = {}
    for item in text.split(":") if text else ():
        name, _, number = item.rpartition("=")
        if not (name and _is_number(number)):
            raise ValueError(f"the variable {variable} is NAME=FD:NAME=FD...")
        found[name] = int(number)
    if len(set(found.values())) < len(found):
        # What one name has closed could be somebody else's by then.
        raise ValueError(
            f"the variable {variable} has two names for one descriptor"
        )
    return found


def _is_number(text: str) -> bool:
    """Tell whether a text is a number that a descriptor can have."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
