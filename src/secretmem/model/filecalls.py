"""
System calls on descriptors: what a secretmem file does and refuses.

The file has no read, no write, no position, no seals and no path by which
it could be opened again. Sources: mm/secretmem.c; errno values as observed
on Linux 6.18.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from secretmem.model import abi
from secretmem.model.errors import refusal
from secretmem.model.files import Disk, Pipe, SecretFile
from secretmem.model.task import Task, syscall


if TYPE_CHECKING:
    from secretmem.model.files import PipeBuffer


_MODE = abi.S_IFREG | 0o600


class Stat(NamedTuple):
    """The part of fstat's answer that the model knows."""

    mode: int
    size: int
    links: int


class FileCalls(Task):
    """The calls on descriptors."""

    @syscall
    def memfd_secret(self, flags: int = 0) -> int:
        """
        Create a secretmem file; the result is a descriptor.

        Args:
            flags: 0 or O_CLOEXEC. FD_CLOEXEC (1), which the manual page
                names, is refused.

        Raises:
            OSError: ENOSYS (before flags are looked at), EINVAL, EMFILE.

        """
        config = self.kernel.config
        if not config.available:
            raise refusal(errno.ENOSYS, "memfd_secret")
        modes = abi.SECRETMEM_UNCACHED if config.uncached_mode else 0
        modes |= abi.SECRETMEM_EXCLUSIVE if config.hiding_optional else 0
        if flags & ~(abi.O_CLOEXEC | modes):
            raise refusal(errno.EINVAL, "memfd_secret")
        file = SecretFile(self.kernel, self.uid)
        if config.hiding_optional:
            file.ready = bool(flags & modes)
        file.uncached = bool(flags & modes & abi.SECRETMEM_UNCACHED)
        return self._install_new(
            file, "memfd_secret", cloexec=bool(flags & abi.O_CLOEXEC)
        )

    @syscall
    def memfd_create(self, name: str, flags: int) -> int:  # noqa: ARG002
        """
        Create a secretmem file as the patch set's second form did.

        The model knows no ordinary memfd.

        Raises:
            OSError: EINVAL without MFD_SECRET, or on a kernel that has
                another interface.

        """
        wanted = flags & abi.MFD_SECRET
        known = abi.MFD_SECRET | abi.MFD_CLOEXEC
        if (
            self.kernel.config.interface != "memfd-flag"
            or not wanted
            or flags & ~known
        ):
            raise refusal(errno.EINVAL, "memfd_create")
        file = SecretFile(self.kernel, self.uid)
        file.ready = False
        return self._install_new(
            file, "memfd_create", cloexec=bool(flags & abi.MFD_CLOEXEC)
        )

    @syscall
    def ioctl(self, fd: int, request: int) -> None:
        """
        Choose the mode of a file of the second form, once.

        Raises:
            OSError: EBADF; ENOTTY on every released kernel; EINVAL.

        """
        file = self.file(fd, "ioctl")
        form = self.kernel.config.interface
        if not isinstance(file, SecretFile) or form != "memfd-flag":
            raise refusal(errno.ENOTTY, "ioctl")
        modes = (abi.MFD_SECRET_EXCLUSIVE, abi.MFD_SECRET_UNCACHED)
        if file.ready or request not in modes:
            raise refusal(errno.EINVAL, "ioctl")
        file.ready = True
        file.uncached = request == abi.MFD_SECRET_UNCACHED

    @syscall
    def ftruncate(self, fd: int, size: int) -> None:
        """
        Give a secretmem file its size in bytes, once.

        Raises:
            OSError: EINVAL for a negative size, for any change after the
                first, the same size included, and on a pipe; EBADF.

        """
        if size < 0:
            raise refusal(errno.EINVAL, "ftruncate")
        file = self.file(fd, "ftruncate")
        if not isinstance(file, SecretFile):
            raise refusal(errno.EINVAL, "ftruncate")
        if file.size and self.kernel.config.size_once:
            raise refusal(errno.EINVAL, "ftruncate")
        file.size = size

    @syscall
    def close(self, fd: int) -> None:
        """
        Close a descriptor; mappings keep the file alive.

        Raises:
            OSError: EBADF.

        """
        self.file(fd, "close")
        self.fds.pop(fd).file.let_go()

    @syscall
    def dup(self, fd: int) -> int:
        """
        Duplicate a descriptor; the copy survives exec.

        Raises:
            OSError: EBADF, EMFILE.

        """
        return self.install(self.file(fd, "dup"), "dup", cloexec=False)

    @syscall
    def getfd(self, fd: int) -> int:
        """
        Give the descriptor's flags: 0 or FD_CLOEXEC.

        Raises:
            OSError: EBADF.

        """
        self.file(fd, "fcntl")
        return abi.FD_CLOEXEC if self.fds[fd].cloexec else 0

    @syscall
    def setfd(self, fd: int, flags: int) -> None:
        """
        Set the descriptor's flags: 0 or FD_CLOEXEC.

        Raises:
            OSError: EBADF.

        """
        self.file(fd, "fcntl")
        self.fds[fd].cloexec = bool(flags & abi.FD_CLOEXEC)

    @syscall
    def getfl(self, fd: int) -> int:
        """
        Give the open flags; 0o100002 for a secretmem file.

        Raises:
            OSError: EBADF.

        """
        return self.file(fd, "fcntl").status

    @syscall
    def fstat(self, fd: int) -> Stat:
        """
        Give mode, size in bytes and links of a secretmem file.

        Raises:
            OSError: EBADF.

        """
        file = self.file(fd, "fstat")
        size = file.size if isinstance(file, SecretFile) else 0
        return Stat(_MODE, size, 1)

    @syscall
    def fs_magic(self, fd: int) -> int:
        """
        Give fstatfs's f_type; 0 for files that are not secretmem.

        Raises:
            OSError: EBADF.

        """
        file = self.file(fd, "fstatfs")
        return abi.SECRETMEM_MAGIC if isinstance(file, SecretFile) else 0

    def link_name(self, fd: int) -> str:
        """Give what /proc/self/fd/N points to."""
        file = self.file(fd, "readlink")
        if isinstance(file, SecretFile):
            return "/secretmem (deleted)"
        return file.kind

    @syscall
    def lseek(self, fd: int) -> int:
        """
        Move the position: refused on everything the model has.

        Raises:
            OSError: ESPIPE, EBADF.

        """
        self.file(fd, "lseek")
        raise refusal(errno.ESPIPE, "lseek")

    @syscall
    def fallocate(self, fd: int, length: int) -> None:
        """
        Allocate or punch: refused on everything the model has.

        Raises:
            OSError: EOPNOTSUPP, ESPIPE on a pipe, EBADF.

        """
        file = self.file(fd, "fallocate")
        if length <= 0:
            raise refusal(errno.EINVAL, "fallocate")
        code = errno.ESPIPE if file.kind == "pipe" else errno.EOPNOTSUPP
        raise refusal(code, "fallocate")

    @syscall
    def fsync(self, fd: int) -> None:
        """
        Write back: there is nothing behind the pages.

        Raises:
            OSError: EINVAL, EBADF.

        """
        if not isinstance(self.file(fd, "fsync"), Disk):
            raise refusal(errno.EINVAL, "fsync")

    @syscall
    def add_seals(self, fd: int, seals: int) -> None:  # noqa: ARG002
        """
        Seal: secretmem has no seals.

        Raises:
            OSError: EINVAL, EBADF.

        """
        self.file(fd, "fcntl")
        raise refusal(errno.EINVAL, "fcntl")

    @syscall
    def reopen(self, fd: int) -> int:
        """
        Open /proc/self/fd/N: a secretmem file cannot be opened again.

        Raises:
            OSError: ENXIO, for root too; EACCES (a descriptor that another
                user made and passed on); ENOENT (not open).

        """
        if fd not in self.fds:
            raise refusal(errno.ENOENT, "open")
        file = self.fds[fd].file
        if isinstance(file, SecretFile):
            mine = self.uid in (0, file.owner)
            raise refusal(errno.ENXIO if mine else errno.EACCES, "open")
        return self.install(file, "open", cloexec=True)

    @syscall
    def open_map_file(self, addr: int, length: int) -> int:  # noqa: ARG002
        """
        Open /proc/self/map_files/RANGE.

        Raises:
            OSError: EPERM without CAP_CHECKPOINT_RESTORE, ENOENT for
                ordinary memory, ENXIO for secret memory.

        """
        if self.uid:
            raise refusal(errno.EPERM, "open")
        vma = self.mm.vmas.at(abi.page_of(addr))
        secret = vma is not None and vma.file is not None
        raise refusal(errno.ENXIO if secret else errno.ENOENT, "open")

    @syscall
    def pipe(self) -> tuple[int, int]:
        """
        Make a pipe; the result is its reading and its writing end.

        Raises:
            OSError: EMFILE.

        """
        buffers: list[PipeBuffer] = []
        reader = self.install(Pipe(self.kernel, buffers), "pipe", cloexec=True)
        writer = self.install(Pipe(self.kernel, buffers), "pipe", cloexec=True)
        return reader, writer

    @syscall
    def open_disk(self, *, direct: bool = False) -> int:
        """
        Open a new file on a disk, with O_DIRECT if `direct`.

        Raises:
            OSError: EMFILE.

        """
        disk = Disk(self.kernel, direct=direct)
        return self.install(disk, "open", cloexec=True)

    def _install_new(
        self, file: SecretFile, call: str, *, cloexec: bool
    ) -> int:
        try:
            return self.install(file, call, cloexec=cloexec)
        except OSError:
            file.release()
            raise
