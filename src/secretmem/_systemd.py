"""The descriptor store of systemd: what survives a restart of a service."""

from __future__ import annotations

import os


TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

_PREFIX = "secretmem-"
_FIRST = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_MOST = 255 - len(_PREFIX)
_PATIENCE = 5000
"""Milliseconds to wait for the manager."""


def stored() -> dict[str, int]:
    """Give the secrets that systemd passes (sd_listen_fds_with_names(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return {
        name.removeprefix(_PREFIX): _FIRST + index
        for index, name in enumerate(names)
        if name.startswith(_PREFIX)
    }


def push(name: str, fd: int) -> None:
    """Let the manager keep a descriptor, instead of the last of that name."""
    name = _checked(name)
    remove(name.removeprefix(_PREFIX))
    _tell(f"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", fd)
    _wait()


def remove(name: str) -> None:
    """Let the manager close what it keeps by that name."""
    _tell(f"FDSTOREREMOVE=1\nFDNAME={_checked(name)}")


def _checked(name: str) -> str:
    # sd_pid_notify_with_fds(3) on FDNAME=.
    plain = name.isascii() and name.isprintable() and ":" not in name
    if not plain or not 0 < len(name) <= _MOST:
        raise ValueError(
            f"the store takes names of 1 to {_MOST} printable ASCII "
            "characters without a colon"
        )
    return _PREFIX + name


def _tell(text: str, *fds: int) -> None:
    """Send one message (sd_notify(3))."""
    import socket

    with _socket() as sock:
        socket.send_fds(sock, [text.encode()], list(fds))


def _socket() -> socket.socket:
    import socket

    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        raise LookupError(
            "there is no store: NOTIFY_SOCKET is not set; add "
            "FileDescriptorStoreMax= and NotifyAccess=main to the unit"
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # A name of the abstract namespace begins with a NUL (unix(7)).
        sock.connect(f"\0{path[1:]}" if path[0] == "@" else path)
    except BaseException:
        sock.close()
        raise
    return sock


def _wait() -> None:
    """
    Wait until the manager has read all (BARRIER=1, sd_notify(3)).

    It would not know any more whose message it is when this process ends.
    """
    import select

    reading, writing = os.pipe()
    try:
        try:
            _tell("BARRIER=1", writing)
        finally:
            os.close(writing)
        poll = select.poll()
        poll.register(reading, select.POLLHUP)
        if not poll.poll(_PATIENCE):
            raise TimeoutError(
                f"the service manager did not answer in {_PATIENCE} ms"
            )
    finally:
        os.close(reading)
