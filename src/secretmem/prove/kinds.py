"""
The kinds of memory that are compared: what a victim keeps its needle in.

==============  ==========================================================
ordinary        private anonymous pages, what malloc and Python hand out
mlocked         what libsodium's sodium_malloc gives: the same pages with
                mlock, MADV_DONTDUMP and guard pages around them
secretmem       a `secretmem.Secret`
degraded        a `secretmem.Secret` on the backend ``mlock``, shown where
                memfd_secret is missing
bytes           a Python bytes object, for ``secretmem prove --hold``
==============  ==========================================================

This code runs inside the victim.  A needle arrives through a pipe and goes
from the kernel straight to its place by read(2): the secretmem kinds never
hold it anywhere else.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from secretmem.prove import linux


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem import Secret


ORDINARY, MLOCKED, BYTES = "ordinary", "mlocked", "bytes"
SECRETMEM, DEGRADED = "secretmem", "degraded"

# Kinds that are held by a `Secret`.
SECRET_KINDS = (SECRETMEM, DEGRADED)


class Span(NamedTuple):
    """A range of memory: address and length, both in bytes."""

    address: int
    size: int

    @property
    def page(self) -> int:
        """Return the start of the first page."""
        return self.address & -linux.PAGE


class Shared(NamedTuple):
    """A mapped file: where it is, and its descriptor if that is open."""

    span: Span
    fd: int | None


class Place(abc.ABC):
    """A place in the victim's memory that holds the needle."""

    kind: str
    made_of: str

    @abc.abstractmethod
    def fill(self, fd: int, size: int) -> None:
        """Read ``size`` bytes of ``fd`` into this place."""

    @abc.abstractmethod
    def open(self) -> contextlib.AbstractContextManager[Span]:
        """Give the address while the content may be read by the process."""

    @abc.abstractmethod
    def scratch(self, size: int) -> Span:
        """Map ``size`` more bytes of this kind, writable, until exit."""

    @abc.abstractmethod
    def value(self) -> Any:  # noqa: ANN401 - bytes or a Secret
        """Return the object that a Python program would hold."""

    def facts(self) -> dict[str, str]:
        """Return what the place is made of, and what guards it."""
        return {"made_of": self.made_of}

    def known(self) -> Span | None:
        """Return the address at rest, None where the program has none."""
        return None

    def share(self, size: int, *, keep: bool) -> Shared | None:
        """
        Map ``size`` bytes of this kind's file.

        ``keep`` leaves the descriptor open.  None for kinds without a file.
        """
        del size, keep
        return None

    def digest(self) -> str:
        """Return the SHA-256 of the content, to see whether it changed."""
        with self.open() as span:
            return hashlib.sha256(_view(span)).hexdigest()


class Ordinary(Place):
    """Two private anonymous pages: a neighbour below, then the needle."""

    kind = ORDINARY
    made_of = "private anonymous pages"

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._span = Span(0, 0)

    def fill(self, fd: int, size: int) -> None:
        """Read the needle to the start of the second page."""
        start = linux.map_anonymous(linux.PAGE + _whole_pages(size))
        read_exactly(fd, start + linux.PAGE, size)
        self._span = Span(start + linux.PAGE, size)

    @contextlib.contextmanager
    def open(self) -> Iterator[Span]:
        """Give the address, which is always readable."""
        yield self._span

    def known(self) -> Span | None:
        """Return the address."""
        return self._span

    def value(self) -> bytes:
        """Return the content as bytes, as Python programs hold keys."""
        return bytes(_view(self._span))

    def scratch(self, size: int) -> Span:
        """Map ``size`` more bytes of ordinary memory."""
        return Span(linux.map_anonymous(_whole_pages(size)), size)

    def share(self, size: int, *, keep: bool) -> Shared | None:
        """Map ordinary memory that has a file: memfd_create(2)."""
        fd = os.memfd_create("prove", os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        access = linux.PROT_READ | linux.PROT_WRITE
        span = Span(linux.map_file(fd, size, access), size)
        if keep:
            return Shared(span, fd)
        os.close(fd)
        return Shared(span, None)


class Bytes(Ordinary):
    """A Python bytes object, what ``open(...).read()`` returns."""

    kind = BYTES
    made_of = "a Python bytes object"

    def fill(self, fd: int, size: int) -> None:
        """Read the pipe as programs do."""
        with os.fdopen(os.dup(fd), "rb") as file:
            self._value = file.read()
        if len(self._value) != size:
            raise ValueError(f"{len(self._value)} bytes came, not {size}")
        self._span = Span(*linux.address_of(self._value))

    def value(self) -> bytes:
        """Return the object."""
        return self._value


class Mlocked(Ordinary):
    """
    Memory of libsodium's sodium_malloc, or the same made by hand.

    ``made_of`` says which.
    """

    kind = MLOCKED

    def __init__(self) -> None:
        """Find libsodium."""
        super().__init__()
        self._sodium = linux.sodium()
        self.made_of = _name_of(self._sodium)

    def fill(self, fd: int, size: int) -> None:
        """Read the needle to the end of the locked pages."""
        self._span = self.scratch(size)
        read_exactly(fd, self._span.address, size)

    def scratch(self, size: int) -> Span:
        """Allocate ``size`` more locked bytes."""
        if self._sodium is not None:
            address = self._sodium.sodium_malloc(size)
            if not address:
                raise MemoryError(f"sodium_malloc refused {size} bytes")
            return Span(address, size)
        return _locked_by_hand(size)

    def share(self, size: int, *, keep: bool) -> Shared | None:
        """Return None: locked anonymous memory has no file."""
        del size, keep
        return None


class SecretPlace(Place):
    """A `secretmem.Secret`, read from the pipe by `Secret.from_fd`."""

    kind = SECRETMEM
    backend = "memfd_secret"

    def __init__(self) -> None:
        """Choose the backend; nothing is allocated yet."""
        import secretmem

        self._package = secretmem
        self._secret: Secret | None = None
        self.made_of = f"secretmem.Secret, backend {self.backend}"

    @property
    def secret(self) -> Secret:
        """Return the Secret that holds the needle."""
        if self._secret is None:
            raise ValueError("the place was not filled")
        return self._secret

    def fill(self, fd: int, size: int) -> None:
        """Read the needle into a Secret; the pipe ends after it."""
        secret = self._package.Secret.from_fd(fd, name="needle")
        if len(secret) != size:
            raise ValueError(f"{len(secret)} bytes came, {size} were sent")
        self._secret = secret

    @contextlib.contextmanager
    def open(self) -> Iterator[Span]:
        """Reveal the Secret and give the address of the view."""
        with self.secret.reveal() as view:
            _ = view[0]  # as a program does: now the page is there
            yield Span(*linux.address_of(view))

    def facts(self) -> dict[str, str]:
        """Return what the package says of itself, now that it is in use."""
        return {**super().facts(), "gate": self._package.posture().gate}

    def value(self) -> Secret:
        """Return the Secret."""
        return self.secret

    def scratch(self, size: int) -> Span:
        """Map a `secretmem.SecretArea`."""
        area = self._package.SecretArea(size)
        _kept.append(area)
        return Span(*linux.address_of(area))

    def share(self, size: int, *, keep: bool) -> Shared | None:
        """Map a `secretmem.SecretArea`."""
        area = self._package.SecretArea(size, keep_fd=keep)
        _kept.append(area)
        fd = area.fileno() if keep else None
        return Shared(Span(*linux.address_of(area)), fd)

    def digest(self) -> str:
        """Return the SHA-256 of the content, to see whether it changed."""
        with self.secret.reveal() as view:
            return hashlib.sha256(view).hexdigest()


class Degraded(SecretPlace):
    """A `secretmem.Secret` on the backend that is only mlocked."""

    kind = DEGRADED
    backend = "mlock"

    def __init__(self) -> None:
        """Choose the degraded backend by name, as a program has to."""
        super().__init__()
        warnings.simplefilter("ignore", self._package.DegradedWarning)
        self._package.configure(backend="mlock")

    def scratch(self, size: int) -> Span:
        """Map locked memory: a SecretArea cannot be had."""
        return _locked_by_hand(size)

    def share(self, size: int, *, keep: bool) -> Shared | None:
        """Return None: a SecretArea cannot be had."""
        del size, keep
        return None


_PLACES: dict[str, type[Place]] = {
    place.kind: place
    for place in (Ordinary, Bytes, Mlocked, SecretPlace, Degraded)
}

# Areas that live as long as the victim.
_kept: list[object] = []


def make(kind: str) -> Place:
    """Return an empty place of a kind; ValueError for an unknown one."""
    try:
        return _PLACES[kind]()
    except KeyError:
        raise ValueError(f"no kind of memory is called {kind!r}") from None


def read_exactly(fd: int, address: int, size: int) -> None:
    """Read ``size`` bytes of ``fd`` to ``address``; EOFError when short."""
    done = 0
    while done < size:
        got = linux.read_into(fd, address + done, size - done)
        if not got:
            raise EOFError(f"{done} of {size} bytes came")
        done += got


def _whole_pages(size: int) -> int:
    """Round ``size`` up to whole pages."""
    return -(-size // linux.PAGE) * linux.PAGE


def _view(span: Span) -> memoryview:
    """Return a memoryview of a range, without a copy."""
    import ctypes

    array = (ctypes.c_char * span.size).from_address(span.address)
    return memoryview(array).cast("B")


def _name_of(sodium: Any) -> str:  # noqa: ANN401 - a ctypes library or None
    """Say what the mlocked kind is made of on this machine."""
    if sodium is None:
        return "mlock, MADV_DONTDUMP and guard pages, made by hand"
    version = sodium.sodium_version_string().decode("ascii")
    return f"sodium_malloc of libsodium {version}"


def _locked_by_hand(size: int) -> Span:
    """
    Build what sodium_malloc builds: guard page, locked pages, guard page.

    The data ends at the upper guard.  As in libsodium, a refused mlock is
    not an error.
    """
    inner = _whole_pages(size)
    start = linux.map_anonymous(inner + 2 * linux.PAGE) + linux.PAGE
    linux.protect(start - linux.PAGE, linux.PAGE, linux.PROT_NONE)
    linux.protect(start + inner, linux.PAGE, linux.PROT_NONE)
    with contextlib.suppress(OSError):
        linux.lock(start, inner)
    linux.advise(start, inner, linux.MADV_DONTDUMP)
    return Span(start + inner - size, size)
