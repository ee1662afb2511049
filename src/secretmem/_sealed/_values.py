"""`SealedSecret`: one sealed value, by itself or as a store has it."""

from __future__ import annotations

import os
from collections.abc import ItemsView, ValuesView
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Protocol, final

from secretmem import Secret
from secretmem._sealed import _record
from secretmem._sealed._sealer import Sealer
from secretmem.exceptions import ClosedError


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import NoReturn, SupportsIndex

    from secretmem._sealed._table import Table


class Holder(Protocol):
    """Whoever has the record of a name."""

    def find(self, name: str, /) -> bytes:
        """Return the record."""

    def opened(self, name: str, /) -> tuple[Secret, bytes]:
        """Open the record, which is gone then if it opens once."""

    def back(self, name: str, secret: Secret, record: bytes, /) -> None:
        """Take back what was opened once, for nothing."""


@final
class SealedSecret:
    """
    A value as ciphertext in ordinary memory.

    ``SealedSecret(secret)`` seals a value under a random key of this process,
    which is in secret memory and is never stored.  ``store[name]`` of a
    `SealedStore` is one too: it opens what the store has by that name when it
    is opened.

    Args:
        secret: It stays open; close it when nothing else needs it.
        name: Of the secrets it opens to; public.  The secret's own unless
            given.
        ttl: Seconds until it cannot be opened any more.
        once: Whether it opens one time only.

    Raises:
        TypeError: Not a Secret.
        ValueError: The time to live is not positive, or the name is longer
            than 65,535 bytes.
        ClosedError, ForkError, BorrowError, LimitError: As for every use of
            a Secret.
    """

    __slots__ = ("_holder", "_name")

    def __init__(
        self,
        secret: Secret,
        *,
        name: str | None = None,
        ttl: float | None = None,
        once: bool = False,
    ) -> None:
        check_secret(secret)
        label = secret.name if name is None else name
        text = _record.encoded(label or "")
        head = _record.head(0, _record.expiry_after(ttl), once=once)
        sealer = _Process.sealer()
        self._name = label
        self._holder: Holder = Alone(sealer, sealer.seal(secret, text, head))

    def __init_subclass__(cls, **_options: object) -> NoReturn:
        raise TypeError("SealedSecret cannot be subclassed")

    @property
    def name(self) -> str | None:
        """Its name."""
        return self._name

    @property
    def once(self) -> bool:
        """Whether it opens one time only."""
        return _record.once(self._holder.find(self._name or ""))

    @property
    def expires(self) -> float | None:
        """When it expires, in seconds since 1970 as ``time.time()``."""
        expiry = _record.expiry(self._holder.find(self._name or ""))
        return None if expiry is None else expiry / 1000

    def open(self) -> Secret:
        """
        Open it into secret memory: ``with sealed.open() as secret:``.

        Each call makes a new Secret, kept as the key is, which the end of
        the ``with`` closes.  One that opens once is used up when this
        returns, not when it raises.

        Raises:
            KeyError: The store has nothing by this name, any more.
            ClosedError: It was opened or has expired, and is in no store; or
                its store was closed.
            DamagedStoreError: The ciphertext was changed.
            LimitError: RLIMIT_MEMLOCK leaves no room for the value.
            ForkError: The key is private to the process that forked this
                one.
        """
        return self._holder.opened(self._name or "")[0]

    @contextmanager
    def _moving(self) -> Iterator[tuple[Secret, bytes]]:
        """Open it; what fails meanwhile does not use it up."""
        name = self._name or ""
        secret, record = self._holder.opened(name)
        with secret:
            try:
                yield secret, record
            except BaseException:
                self._back(secret, record)
                raise

    def _back(self, secret: Secret, record: bytes) -> None:
        """Have it not used up."""
        if _record.once(record):
            self._holder.back(self._name or "", secret, record)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same value of the same store."""
        if isinstance(other, SealedSecret):
            return self._holder is other._holder and self._name == other._name
        if isinstance(other, Secret | bytes | bytearray | memoryview | str):
            raise TypeError(
                "a SealedSecret is not compared with what it may open to: "
                "with sealed.open() as secret: secret == other, or "
                "secret.matches(candidate)"
            )
        return NotImplemented

    def __hash__(self) -> int:
        return hash((id(self._holder), self._name))

    def __repr__(self) -> str:
        name = "" if self._name is None else f" {self._name!r}"
        return f"<SealedSecret{name}>"

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a SealedSecret is not pickled or copied: its key stays in this "
            "process; for another host, open it and use "
            "secret.seal_to(recipient)"
        )

    def __reduce__(self) -> NoReturn:
        self.__reduce_ex__(0)


def held(holder: Holder, name: str) -> SealedSecret:
    """Make the SealedSecret of a record that is there."""
    made = object.__new__(SealedSecret)
    made._holder, made._name = holder, name
    return made


class Items(ItemsView[str, SealedSecret]):
    """What is deleted meanwhile is there, and does not open."""

    def __init__(
        self, store: Mapping[str, SealedSecret], table: Table
    ) -> None:
        super().__init__(store)
        self._table = table

    def __iter__(self) -> Iterator[tuple[str, SealedSecret]]:
        table = self._table
        return ((name, held(table, name)) for name in table.names())


class Values(ValuesView[SealedSecret]):
    """As `Items`."""

    def __init__(
        self, store: Mapping[str, SealedSecret], table: Table
    ) -> None:
        super().__init__(store)
        self._table = table

    def __iter__(self) -> Iterator[SealedSecret]:
        table = self._table
        return (held(table, name) for name in table.names())


def check_secret(secret: object) -> None:
    """
    Refuse what is not a Secret.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(secret, Secret):
        raise TypeError(
            f"a Secret is sealed, not {type(secret).__name__}: "
            "Secret.from_bytes(buffer, wipe=True) makes one"
        )


class Alone:
    """A record that is in no store."""

    __slots__ = ("_record", "_sealer")

    def __init__(self, sealer: Sealer, record: bytes) -> None:
        self._sealer = sealer
        self._record: bytes | None = record

    def find(self, _name: str) -> bytes:
        """Return the record."""
        record = self._record
        if record is None:
            raise ClosedError("the SealedSecret was opened; it opens once")
        expiry = _record.expiry(record)
        if expiry is not None and expiry <= _record.now():
            raise ClosedError("the SealedSecret has expired")
        return record

    def opened(self, name: str) -> tuple[Secret, bytes]:
        """Open it."""
        with _Process.lock:
            record = self.find(name)
            secret = self._open(record, name)
            if _record.once(record):
                self._record = None
        return secret, record

    def _open(self, record: bytes, name: str) -> Secret:
        text = _record.encoded(name)
        return self._sealer.open(record, text, name or None)

    def back(self, _name: str, _secret: Secret, record: bytes) -> None:
        """Take it back."""
        self._record = record


class _Process:
    """The key of this process."""

    made: Sealer | None = None
    pid = 0
    lock = RLock()

    @classmethod
    def sealer(cls) -> Sealer:
        """Return it; a forked child has its own for what it seals."""
        with cls.lock:
            if cls.made is None or cls.pid != os.getpid():
                cls.made, cls.pid = Sealer.generate(), os.getpid()
            return cls.made

    @classmethod
    def forked(cls) -> None:
        """Release the lock, which another thread may have held."""
        cls.lock = RLock()


os.register_at_fork(after_in_child=_Process.forked)
