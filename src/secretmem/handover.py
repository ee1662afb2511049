"""
Secrets on their way to another process of this machine.

The value is put into a file of memfd_secret(2) of its own, and the other
process gets the descriptor: by execve(2) (``secretmem run``,
``inherited``), by a Unix socket (`send_secret`, `recv_secret`), or by
multiprocessing, whose pickler takes a Secret.  No byte of it goes through a
pipe or a pickle.

Whoever has the descriptor can map the pages: while it is open, a process of
the same user that may attach can take it (pidfd_getfd(2)).  So it is made
last and closed first.
"""

from __future__ import annotations

import errno
import os
from threading import Lock

from secretmem import _descriptors, _policy, _systemd
from secretmem._sources import descriptor_of


TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

    from secretmem import _native
    from secretmem._secret import Secret
    from secretmem._sources import Descriptor
else:
    _native = _policy.bind()

__all__ = (
    "VARIABLE",
    "forget",
    "from_descriptor",
    "inherited",
    "inherited_names",
    "keep",
    "recv_secret",
    "send_secret",
    "to_descriptor",
)

VARIABLE = "SECRETMEM_FDS"
"""The variable ``NAME=FD:NAME=FD...`` of a program with inherited secrets."""

# Ancillary data needs at least one byte of ordinary data.
_MESSAGE = b"S"


def to_descriptor(secret: Secret, /) -> int:
    """
    Copy a Secret into a file of memfd_secret(2) of its own.

    It takes 64 bytes more than the value, in whole pages of 4096 bytes,
    which are locked while the descriptor or a mapping of it is there.

    Returns:
        A descriptor that execve(2) closes.  It is the caller's to close.

    Raises:
        ValueError: The value has more than 1 MiB, or the backend is degraded.
        LimitError, ClosedError, ForkError, BorrowError: As for every use.
    """
    from secretmem._secret import Secret

    if not isinstance(secret, Secret):
        raise TypeError(
            f"a Secret is handed over, not {type(secret).__name__}"
        )
    return _native.hand_over(secret)


def from_descriptor(fd: Descriptor, /, **options: Any) -> Secret:  # noqa: ANN401 - as for every constructor
    """
    Copy what `to_descriptor` made, here or elsewhere, into a new Secret.

    The descriptor stays open.

    Args:
        fd: A number or an object with ``fileno()``.
        **options: ``name``, ``inherit``, ``isolated`` and ``flush``, as for
            every constructor of Secret.

    Raises:
        ValueError: It is no such descriptor.
        OSError: It is not open (EBADF).
        LimitError: As for every Secret.
    """
    from secretmem._secret import Secret

    return _native.take_over(Secret, descriptor_of(fd), **options)


def send_secret(sock: socket.socket, secret: Secret, /) -> None:
    """
    Send a Secret over a Unix socket (unix(7), SCM_RIGHTS).

    One byte of ordinary data goes with it.

    Raises:
        ValueError: The socket leads to another host, perhaps: it is none of
            AF_UNIX.
        OSError: It is closed at the other end.
    """
    import socket

    _check_unix(sock)
    fd = to_descriptor(secret)
    try:
        socket.send_fds(sock, [_MESSAGE], [fd])
    finally:
        os.close(fd)


def recv_secret(sock: socket.socket, /, **options: Any) -> Secret:  # noqa: ANN401 - as for every constructor
    """
    Receive a Secret that `send_secret` sent; blocks until it comes.

    Who sent it is the business of the socket (SO_PEERCRED, file
    permissions): the sender knows the value, and can have kept it.

    Args:
        sock: A connected socket of AF_UNIX.
        **options: As for every constructor of Secret.

    Raises:
        EOFError: The other end was closed.
        ValueError: Something else was sent.
        OSError, LimitError: As `from_descriptor`.
    """
    _check_unix(sock)
    # Room for two, to notice a second one.
    data, fds, cut = _descriptors.receive(sock, len(_MESSAGE), 2)
    try:
        if not data:
            raise EOFError("the other end of the socket was closed")
        if data != _MESSAGE or len(fds) != 1 or cut:
            raise ValueError(
                "what was sent is no secret: the other end uses send_secret"
            )
        return from_descriptor(fds[0], **options)
    finally:
        for fd in fds:
            os.close(fd)


def _check_unix(sock: socket.socket) -> None:
    import socket

    if sock.family != socket.AF_UNIX:
        raise ValueError(
            "a Secret is handed over on this machine only, by a socket of "
            "AF_UNIX; for another host use secret.seal_to(recipient)"
        )


class _Started:
    """What this program was started with."""

    # Names and descriptors; None before somebody asked.
    listed: dict[str, int] | None = None
    taken: dict[str, Secret] = {}  # noqa: RUF012 - one for the process
    lock = Lock()


def inherited_names() -> list[str]:
    """List the names that ``inherited`` knows."""
    return sorted({*_listed(), *_Started.taken})


def inherited(name: str, /, **options: Any) -> Secret:  # noqa: ANN401 - as for every constructor
    """
    Return a Secret that this program was started with.

    By ``secretmem run``, or from the descriptor store of systemd.  The
    descriptor is closed, and the same Secret is returned every time.

    Args:
        name: As the one who started it calls it.
        **options: For the first time; as for every constructor of Secret.

    Raises:
        LookupError: There is none of that name, or it was closed.
        ValueError: The descriptor holds no secret.
        OSError: It is not open any more.
        LimitError: As for every Secret.
    """
    with _Started.lock:
        return _taken(name, options)


def _taken(name: str, options: dict[str, Any]) -> Secret:
    known = _Started.taken.get(name)
    if known is not None:
        if known.closed:
            raise LookupError(f"the inherited secret {name!r} was closed")
        return known
    fds = _listed()
    if name not in fds:
        names = ", ".join(inherited_names()) or "none"
        raise LookupError(
            f"no secret {name!r} was inherited; there are: {names}. Start "
            f"the program by: secretmem run --secret {name}=SOURCE -- ..."
        )
    options.setdefault("name", name)
    secret = _inherited_from(fds[name], name, options)
    # Twice would be somebody else's descriptor.
    os.close(fds.pop(name))
    _Started.taken[name] = secret
    return secret


def _inherited_from(fd: int, name: str, options: dict[str, Any]) -> Secret:
    """Copy it; a descriptor that is gone was closed by who started us."""
    cause = (
        "a program between secretmem run and this one has closed it, as "
        "subprocess does without pass_fds"
    )
    try:
        return from_descriptor(fd, **options)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        raise OSError(
            errno.EBADF,
            f"descriptor {fd} of the inherited secret {name!r} is not open: "
            f"{cause}",
        ) from None
    except ValueError as error:
        raise ValueError(
            f"descriptor {fd} of the inherited secret {name!r}: {error}; "
            f"perhaps {cause}, and the number was used again"
        ) from None


def _listed() -> dict[str, int]:
    """Read the variables once, and take them out of the environment."""
    if _Started.listed is None:
        listed = {**_systemd.stored(), **_passed()}
        for fd in listed.values():
            _close_on_exec(fd)
        _Started.listed = listed
    return _Started.listed


def _passed() -> dict[str, int]:
    found = _descriptors.named(VARIABLE)
    # Programs that are started from here have none of them.
    os.environ.pop(VARIABLE, None)
    return found


def _close_on_exec(fd: int) -> None:
    from contextlib import suppress

    with suppress(OSError):
        os.set_inheritable(fd, False)  # noqa: FBT003 - by position only


def keep(name: str, secret: Secret, /) -> None:
    """
    Let systemd keep a Secret over a restart of this service.

    The manager holds a descriptor of it until `forget`, or until the service
    is stopped and not started again; after a restart ``inherited`` returns it.
    One that it kept by the same name is replaced.  The unit needs
    ``FileDescriptorStoreMax=`` and ``NotifyAccess=`` (systemd.service(5)).

    Args:
        name: For ``inherited``: printable ASCII without a colon.
        secret: It stays as it is.

    Raises:
        LookupError: There is no service manager.
        TimeoutError: It did not answer.
        ValueError: As `to_descriptor`, or the name cannot be used.
    """
    fd = to_descriptor(secret)
    try:
        _systemd.push(name, fd)
    finally:
        os.close(fd)


def forget(name: str, /) -> None:
    """
    Let systemd close what `keep` gave it.

    Raises:
        LookupError: There is no service manager.
        ValueError: The name cannot be used.
    """
    _systemd.remove(name)
