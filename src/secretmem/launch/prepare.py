"""Read the secrets, open what the command gets, become the command."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from secretmem import _descriptors, hazmat
from secretmem._limits import is_secretmem
from secretmem.exceptions import SourceError
from secretmem.handover import VARIABLE, to_descriptor
from secretmem.launch.plan import PlanError
from secretmem.sources import Descriptor
from secretmem.sources._commands import PYTHONS_OWN


if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from secretmem import Secret
    from secretmem.launch.plan import Plan
    from secretmem.sources import Source


# linux/fcntl.h; the module has them since Python 3.12 on some builds only.
_F_ADD_SEALS = 1033
_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # of seals, shrinking, growing, writing

NOT_EXECUTABLE, NOT_FOUND = 126, 127


class Prepared:
    """
    The command's descriptors and variables; a context that closes them.

    ``fds`` are the descriptors by name, ``variables`` the environment, in
    bytes.
    """

    def __init__(self, plan: Plan) -> None:
        """
        Read every secret; raises SourceError, LimitError, OSError.

        PlanError says that our own variable of descriptors is damaged.
        """
        self.fds: dict[str, int] = {}
        # Before anything else is opened, which could get their numbers.
        passed = _passed(plan)
        exposed: dict[bytes, bytes] = {}
        try:
            for name, source in plan.secrets.items():
                with source.read(name=name) as secret:
                    exposed.update(self._give(plan, name, source, secret))
        except BaseException:
            self.close()
            raise
        # Without the variables that were read as sources and erased.
        self.variables = {**os.environb, **exposed}
        self.variables.pop(VARIABLE.encode(), None)
        handed = {n: f for n, f in self.fds.items() if plan.kind(n) is None}
        if handed := {**passed, **handed}:
            text = ":".join(f"{name}={fd}" for name, fd in handed.items())
            self.variables[VARIABLE.encode()] = text.encode()

    def _give(
        self, plan: Plan, name: str, source: Source, secret: Secret
    ) -> dict[bytes, bytes]:
        """Open the descriptor of a secret; give the variables of it."""
        kind = plan.kind(name)
        if kind == "env":
            return {name.encode(): _as_variable(source, secret)}
        if kind == "file":
            self.fds[name] = sealed_file(name, secret)
            path = f"/proc/self/fd/{self.fds[name]}"
            return {f"{name}_FILE".encode(): path.encode()}
        self.fds[name] = to_descriptor(secret)
        return {}

    def close(self) -> None:
        """Close the descriptors of this process."""
        while self.fds:
            os.close(self.fds.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _passed(plan: Plan) -> dict[str, int]:
    """
    Give the descriptors that we got ourselves, for the command.

    As variables do, they go through to it, but for those that have a new
    value, which it must not find beside it.
    """
    found = {}
    try:
        got = _descriptors.named(VARIABLE)
    except ValueError as error:
        raise PlanError(str(error)) from error
    for name, fd in got.items():
        if not is_secretmem(f"/proc/self/fd/{fd}"):
            # Somebody has closed it since, and perhaps used it again.
            continue
        if name in plan.secrets:
            os.set_inheritable(fd, False)  # noqa: FBT003 - by position only
        else:
            found[name] = fd
    return found


def sealed_file(name: str, secret: Secret) -> int:
    """
    Make an ordinary file in memory that nobody can change any more.

    memfd_create(2) and F_ADD_SEALS of fcntl(2); the kernel copies the value
    there, and no object of the interpreter holds it.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        secret.write_to(fd)
        fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _as_variable(source: Source, secret: Secret) -> bytes:
    value = hazmat.export_bytes(secret)
    if b"\0" in value:
        raise SourceError(
            "the value has a NUL byte, which no variable can hold",
            source=str(source),
            reason="content",
            remedy="expose it as a file, or pass it as a descriptor",
        )
    return value


def execute(plan: Plan, prepared: Prepared) -> NoReturn:
    """
    Become the command (execve(2)): same process, group and terminal.

    Raises:
        OSError: It cannot be executed; the descriptors are closed at the end
            of the caller's context.
    """
    _close_sources(plan)
    for fd in prepared.fds.values():
        os.set_inheritable(fd, True)  # noqa: FBT003 - by position only
    old = [signal.signal(each, signal.SIG_DFL) for each in PYTHONS_OWN]
    try:
        os.execvpe(plan.command[0], plan.command, prepared.variables)  # noqa: S606 - what was asked for
    finally:
        for number, handler in zip(PYTHONS_OWN, old, strict=True):
            signal.signal(number, handler)


def _close_sources(plan: Plan) -> None:
    """Keep the descriptors that secrets were read from from the command."""
    standard = 2
    for source in plan.secrets.values():
        for each in source.leaves():
            if isinstance(each, Descriptor) and each.fd > standard:
                os.set_inheritable(each.fd, False)  # noqa: FBT003 - as above


def exit_code(error: OSError) -> int:
    """Return what env(1) ends with when a command cannot be executed."""
    missing = (errno.ENOENT, errno.ENOTDIR)
    return NOT_FOUND if error.errno in missing else NOT_EXECUTABLE
