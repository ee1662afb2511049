"""The agent's sockets: made here, or handed over by systemd."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secretmem.agent import peer


# Bytes of the longest path of a socket (unix(7)), with its NUL.
_MOST_PATH = 108
_BACKLOG = 1024
_FIRST_FD = 3


class SocketError(Exception):
    """A socket cannot be made; the text says why and what to do."""


class Place:
    """A path with our socket; removed only while it is still ours."""

    def __init__(
        self,
        path: Path,
        folder: Path | None = None,
        identity: tuple[int, int] | None = None,
    ) -> None:
        """Remember the socket at ``path``, alone in ``folder`` if given."""
        self.path = path
        self._folder = folder
        self._identity = identity or _identity(path)

    def noted(self) -> list[Any]:
        """Return what JSON can keep of it."""
        folder = self._folder and str(self._folder)
        return [str(self.path), folder, self._identity]

    @classmethod
    def taken(cls, noted: list[Any]) -> Place:
        """Make it anew of what was noted."""
        path, folder, (device, number) = noted
        return cls(Path(path), folder and Path(folder), (device, number))

    def remove(self) -> None:
        """Remove the socket, and the folder that was made for it."""
        with contextlib.suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.rmdir()


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


@dataclass(slots=True)
class Sockets:
    """The agent's sockets, and where they lie."""

    path: Path
    main: socket.socket
    places: list[Place] = field(default_factory=list)
    extra: socket.socket | None = None

    def environment(self, pid: int) -> dict[str, object]:
        """Return the variables that lead to the agent."""
        found: dict[str, object] = {
            "SSH_AUTH_SOCK": self.path,
            "SSH_AGENT_PID": pid,
        }
        if self.extra is not None:
            found["SECRETMEM_AGENT_SOCK"] = self.extra.getsockname()
        return found

    def remove(self) -> None:
        """Remove what was made."""
        for place in self.places:
            place.remove()

    def noted(self) -> dict[str, Any]:
        """Return what JSON can keep of them: paths and descriptors."""
        return {
            "path": str(self.path),
            "main": self.main.fileno(),
            "extra": self.extra and self.extra.fileno(),
            "places": [place.noted() for place in self.places],
        }

    @classmethod
    def taken(cls, noted: dict[str, Any]) -> Sockets:
        """Take them over from the program that noted them."""
        extra = noted["extra"]
        return cls(
            Path(noted["path"]),
            socket.socket(fileno=noted["main"]),
            [Place.taken(each) for each in noted["places"]],
            None if extra is None else socket.socket(fileno=extra),
        )


def new_folder() -> Path:
    """Make a folder that only this user can enter; return it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="secretmem-", dir=runtime))
    return Path(tempfile.mkdtemp(prefix="secretmem-"))


def listen(path: Path) -> socket.socket:
    """
    Make a socket at ``path`` that only this user can connect to.

    What a dead agent left behind is replaced.

    Raises:
        SocketError: Something else is there, an agent listens there, others
            may write to the folder, or bind(2) failed.
    """
    if len(os.fsencode(path)) >= _MOST_PATH:
        raise SocketError(
            f"the path has {len(os.fsencode(path))} bytes; a socket's has at "
            f"most {_MOST_PATH - 1}"
        )
    _check_folder(path.parent)
    _remove_stale(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        made.bind(os.fspath(path))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise SocketError(f"{path}: {error.strerror}") from None
    finally:
        os.umask(old)
    return made


def _check_folder(folder: Path) -> None:
    """Refuse a folder where others could put their own socket."""
    try:
        found = folder.stat()
    except OSError as error:
        raise SocketError(f"{folder}: {error.strerror}") from None
    others = stat.S_IWGRP | stat.S_IWOTH
    if found.st_mode & others and not found.st_mode & stat.S_ISVTX:
        raise SocketError(
            f"others may write to {folder} and replace the socket; choose "
            "a folder of your own"
        )


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketError(f"{path}: {error.strerror}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketError(f"{path} is there, and is no socket; remove it")
    if found.st_uid != os.geteuid():
        raise SocketError(f"{path} belongs to uid {found.st_uid}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SocketError(f"{path}: {error.strerror}") from None
        else:
            raise SocketError(f"an agent listens at {path} already")


def listener(path: str) -> int | None:
    """Return the number of the process that serves a socket, if one does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return None
        return peer.of(probe).pid


def inherited() -> list[tuple[str, socket.socket]]:
    """
    Take the sockets that systemd hands over (sd_listen_fds(3)).

    Returns:
        Each with its name; none when the process was not activated.

    Raises:
        SocketError: What was handed over is no listening stream socket.
    """
    count = os.environ.pop("LISTEN_FDS", "")
    pid = os.environ.pop("LISTEN_PID", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if not count.isdecimal() or pid != str(os.getpid()):
        return []
    found = []
    for number in range(int(count)):
        fd = _FIRST_FD + number
        name = names[number] if number < len(names) else ""
        found.append((name, _adopted(fd)))
    return found


def _adopted(fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)  # noqa: FBT003 - its only argument
        taken = socket.socket(fileno=fd)
        listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise SocketError(
            f"the descriptor {fd} of LISTEN_FDS is no socket: {error.strerror}"
        ) from None
    if taken.family != socket.AF_UNIX or taken.type != socket.SOCK_STREAM:
        raise SocketError(f"the descriptor {fd} is no unix stream socket")
    if not listens:
        raise SocketError(f"the socket {fd} of LISTEN_FDS does not listen")
    return taken
