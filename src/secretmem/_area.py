"""The article's object: memfd_secret(2) and one mapping of it, as they are."""

from __future__ import annotations

import os

from secretmem import (
    _errors,  # noqa: F401 - loaded while its file can still be read
    _policy,
)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Literal, NoReturn, Self

    from secretmem import _native
else:
    _native = _policy.bind()


def memfd_secret(flags: int = os.O_CLOEXEC) -> int:
    """
    Create a secret memory file and return its descriptor: the call itself.

    It has size 0; give it one with ``os.ftruncate`` (once only) and map it
    shared.  Whoever gets the descriptor can map the same pages.

    Args:
        flags: 0 or ``os.O_CLOEXEC``.  The manual's FD_CLOEXEC is EINVAL.

    Raises:
        OSError: ENOSYS (no such call, or switched off), EINVAL (flags),
            EPERM (seccomp), EMFILE, ENFILE, ENOMEM.  memfd_secret(2).
    """
    return _native.memfd_secret(flags)


class SecretArea(_native.AreaBase):
    """
    Pages of secret memory that the program reads and writes itself.

    It has the buffer protocol: ``memoryview(area)`` shows ``size`` bytes, all
    zero at first.  It is one mapping of memfd_secret(2) without gate or
    arena: other processes and the kernel cannot read it, but any code of
    this process can.

    Args:
        size: Bytes; rounded up to pages of 4096 in what is locked.
        cloexec: Whether a kept descriptor is closed by execve(2).
        fork: ``"share"``: forked children have the same pages, and what one
            writes the others see, as the system call does it.
            ``"private"``: children do not have them.
        keep_fd: Whether the descriptor stays open, for `fileno`.  Then
            whoever takes it (pidfd_getfd(2), SCM_RIGHTS) has the pages.

    Raises:
        UnavailableError, LimitError: As for Secret.
        ValueError: An unknown word, a negative size.
    """

    __slots__ = ()

    def __new__(
        cls,
        size: int,
        *,
        cloexec: bool = True,
        fork: Literal["share", "private"] = "share",
        keep_fd: bool = False,
    ) -> Self:
        if fork not in ("share", "private"):
            raise ValueError(f"fork is share or private: not {fork!r}")
        if size < 0:
            raise ValueError("a size is not negative")
        return super().__new__(
            cls,
            size,
            share=fork == "share",
            cloexec=cloexec,
            keep_fd=keep_fd,
        )

    def fileno(self) -> int:
        """
        Return the descriptor.

        Raises:
            ValueError: It was not kept, or the area is closed.
        """
        fd = self._fileno()
        if fd is None:
            raise ValueError(
                "the descriptor was closed after mmap; keep_fd=True keeps it"
            )
        return fd

    def close(self, *, wipe: bool = False) -> None:
        """
        Unmap it, and close a kept descriptor.

        The kernel wipes the pages when the last mapping and descriptor are
        gone; ``wipe`` zeroes them now, for all processes that share them.

        Raises:
            BorrowError: A memoryview of it is still in use.
        """
        self._close(wipe=wipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<SecretArea closed>"
        return f"<SecretArea {len(self)} bytes>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a SecretArea is not pickled; pass its descriptor (keep_fd=True)"
        )
