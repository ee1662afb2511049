"""`SealedStore`: any number of sealed values by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, TypeVar, final, overload

from secretmem import Secret
from secretmem._sealed import _file, _mapping, _record, _values
from secretmem._sealed._file import Unlock
from secretmem._sealed._mapping import PREFIX
from secretmem._sealed._sealer import KEY_SIZE, Sealer
from secretmem._sealed._table import Table
from secretmem._sealed._values import Alone, SealedSecret


if TYPE_CHECKING:
    from collections.abc import ItemsView, Sequence, ValuesView
    from typing import NoReturn, Self, SupportsIndex

    from secretmem._sources import Path
    from secretmem.age._wrap import Identity, Recipient

    Values = (
        Mapping[str, Secret | SealedSecret]
        | Iterable[tuple[str, Secret | SealedSecret]]
    )
    Items = MutableMapping[str, bytes]
    ReadItems = Mapping[str, bytes]
    _Default = TypeVar("_Default")

_RAISE = object()


@final
class SealedStore(MutableMapping[str, SealedSecret]):
    """
    Sealed values by name: a mapping whose values take no secret memory.

    ``store[name] = secret`` seals a value, ``with store[name].open() as
    secret:`` opens it.  Values are XChaCha20-Poly1305 ciphertext with random
    nonces; the store's id, the name and what is said about the value are
    authenticated with it.  Names, the lengths of values and when they expire
    are not secret.

    It is used as a dict is, except that values are assigned as Secrets and
    read as `SealedSecret`, iteration goes over the names that there were when
    it began, and a store equals itself only.  What has expired is deleted.
    Any number of threads may use it.

    Args:
        key: 32 bytes, from any source.  The keys that are used are derived
            from it, so it may be closed.  Forked children have the store if
            they have the key; each then goes its own way.
        recipients: Whom files of this store are encrypted to (those of
            `secretmem.age`), so that an identity opens them without the key.

    Raises:
        TypeError: The key is not a Secret.
        InvalidKey: It has another length.
    """

    __slots__ = ("_table",)

    _table: Table

    def __init__(
        self, key: Secret, *, recipients: Iterable[Recipient | str] = ()
    ) -> None:
        self._table = Table(Sealer.new(key, recipients))

    def __init_subclass__(cls, **_options: object) -> NoReturn:
        raise TypeError("SealedStore cannot be subclassed")

    @classmethod
    def generate(
        cls,
        *,
        recipients: Iterable[Recipient | str] = (),
        inherit: bool | None = None,
    ) -> Self:
        """
        Make a store with a random key that nobody else has.

        Without recipients it ends with the process: it cannot be saved.

        Args:
            recipients: As for the constructor.
            inherit: Whether forked children have the key.
        """
        return cls._of(
            Table(Sealer.generate(tuple(recipients), inherit=inherit))
        )

    @classmethod
    def generate_key(
        cls, *, name: str | None = None, inherit: bool | None = None
    ) -> Secret:
        """Make a key of 32 random bytes."""
        return Secret.random(KEY_SIZE, name=name, inherit=inherit)

    @classmethod
    def _of(cls, table: Table) -> Self:
        store = cls.__new__(cls)
        store._table = table  # noqa: SLF001 - its other constructor
        return store

    # -- The mapping ---------------------------------------------------------

    def put(
        self,
        name: str,
        secret: Secret | SealedSecret,
        *,
        ttl: float | None = None,
        once: bool = False,
    ) -> None:
        """
        Seal a value, as ``store[name] = secret`` does.

        Args:
            name: Public; any str of at most 65,535 bytes in UTF-8.
            secret: A Secret, which stays open, or a SealedSecret, whose
                time and number of openings hold on unless given here.
            ttl: Seconds until it is deleted.
            once: Whether it is deleted when it is opened.

        Raises:
            TypeError: The name is no str, or the value no Secret.
            ValueError: The name is too long, or ``ttl`` is not positive.
            ClosedError: The store or the secret was closed.
            ForkError, BorrowError, LimitError: As for every use of a Secret.
        """
        self._put(name, secret, _record.expiry_after(ttl), once=once)

    def _put(
        self,
        name: str,
        value: Secret | SealedSecret,
        expiry: int | None,
        *,
        once: bool,
        fresh: bool = False,
    ) -> None:
        _record.encoded(name)
        name = str.__str__(name)
        if not isinstance(value, SealedSecret):
            _values.check_secret(value)
            self._table.put(name, value, expiry, once=once, fresh=fresh)
            return
        with value._moving() as (secret, record):  # noqa: SLF001 - of this package
            if expiry is None:
                expiry = _record.expiry(record)
            once = once or _record.once(record)
            if not self._table.put(
                name, secret, expiry, once=once, fresh=fresh
            ):
                value._back(secret, record)  # noqa: SLF001 - as above

    def __setitem__(self, name: str, secret: Secret | SealedSecret) -> None:
        self.put(name, secret)

    def __getitem__(self, name: str) -> SealedSecret:
        self._table.find(name)
        return _values.held(self._table, name)

    def __delitem__(self, name: str) -> None:
        self._table.take(name)

    def __contains__(self, name: object) -> bool:
        return self._table.has(name)

    def __len__(self) -> int:
        return self._table.count()

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.names())

    @overload
    def pop(self, name: str, /) -> SealedSecret: ...
    @overload
    def pop(
        self, name: str, /, default: _Default
    ) -> SealedSecret | _Default: ...
    def pop(self, name: str, /, default: object = _RAISE) -> object:
        """
        Remove a value and return it; it opens until the store is closed.

        Raises:
            KeyError: There is none, and no default.
        """
        try:
            sealer, record = self._table.take(name)
        except KeyError:
            if default is _RAISE:
                raise
            return default
        return _values.held(Alone(sealer, record), name)

    def popitem(self) -> tuple[str, SealedSecret]:
        """Remove the youngest value and return it with its name."""
        name, sealer, record = self._table.take_last()
        return name, _values.held(Alone(sealer, record), name)

    def setdefault(
        self, name: str, default: Secret | SealedSecret
    ) -> SealedSecret:
        """Return what is there, after sealing ``default`` if there is none."""
        if name not in self:
            self._put(name, default, None, once=False, fresh=True)
        return _values.held(self._table, name)

    def values(self) -> ValuesView[SealedSecret]:
        """Return a view of the values, which are not opened."""
        return _values.Values(self, self._table)

    def items(self) -> ItemsView[str, SealedSecret]:
        """Return a view of names and values, which are not opened."""
        return _values.Items(self, self._table)

    def update(  # type: ignore[override]  # takes what is assigned, gives what is read
        self,
        values: Values = (),
        /,
        **named: Secret | SealedSecret,
    ) -> None:
        """Seal values, as ``store[name] = secret`` does."""
        pairs = values.items() if isinstance(values, Mapping) else values
        for name, value in (*pairs, *named.items()):
            self.put(name, value)

    def clear(self) -> None:
        """Delete all values."""
        self._table.clear()

    # Two stores with equal names need not have equal values.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    # -- Its keys and its life -----------------------------------------------

    def rekey(
        self,
        key: Secret | None = None,
        *,
        recipients: Iterable[Recipient | str] = (),
        inherit: bool | None = None,
    ) -> None:
        """
        Seal every value under a new key; the old one is of no use any more.

        Other threads go on using the store meanwhile.  If this raises,
        nothing has changed.  Files have the old key until they are saved
        again, and copies of them for good.

        Args:
            key: As for the constructor; a random one, as for `generate`,
                unless given.
            recipients: Whom files are encrypted to from now on.
            inherit: Whether forked children have a random key.

        Raises:
            TypeError, InvalidKey: As the constructor.
            DamagedStoreError: A value was changed in memory.
            LimitError: RLIMIT_MEMLOCK leaves no room for the largest value.
        """
        to = tuple(recipients)
        if key is None:
            sealer = Sealer.generate(to, inherit=inherit)
        else:
            sealer = Sealer.new(key, to)
        self._table.rekey(sealer)

    @property
    def generation(self) -> int:
        """How often it was saved; tells an older file from a newer one."""
        return self._table.generation

    def save(self, path: Path) -> None:
        """
        Write the store to a file, in place of an old one.

        It is written beside it and renamed when all of it is on the disk, so
        that there is one or the other whatever happens.  The old one's mode
        is kept; a new one can be read by its owner only.

        Args:
            path: Of the file.

        Raises:
            OSError: It cannot be written (ENOSPC and others); the old file
                is there as it was.
            ValueError: Nobody could open it: the key is random, and there
                are no recipients.
        """
        with self._table.saving() as content:
            _file.save(path, content)

    @classmethod
    def load(
        cls,
        path: Path,
        key: Secret | None = None,
        *,
        identities: Sequence[Identity] = (),
    ) -> Self:
        """
        Read a file that `save` wrote.

        With identities alone it does not show who made the file: everybody
        who knows a recipient can make one.  With the key it does.

        Args:
            path: Of the file.
            key: The store's.
            identities: Instead of the key, if the store has recipients.

        Raises:
            WrongKeyError: It was sealed under another key.
            DamagedStoreError: It was changed or cut, or is no such file.
            NoMatchError: No identity fits; of `secretmem.age`.
            OSError: It cannot be read.
        """
        unlock = Unlock.of(key, identities)
        return cls._of(Table.of(_file.load(path, unlock)))

    def save_to(self, mapping: Items, *, prefix: str = PREFIX) -> None:
        """
        Write the store to a mapping from str to bytes, as of ``shelve``.

        Each value is an item, and one more, written after them, says which
        belong to the store.  Values that are there already are not written
        again, and those of the state before are deleted at the end: if the
        mapping keeps single items whole and in order, it has one state or the
        other whatever happens.

        Args:
            mapping: Its keys are used that begin with the prefix.
            prefix: Another for each store.

        Raises:
            ValueError: As `save`.
        """
        with self._table.saving() as content:
            _mapping.save(mapping, prefix, content)

    @classmethod
    def load_from(
        cls,
        mapping: ReadItems,
        key: Secret | None = None,
        *,
        identities: Sequence[Identity] = (),
        prefix: str = PREFIX,
    ) -> Self:
        """
        Read what `save_to` wrote.

        Args:
            mapping: Where it is.
            key: As for `load`.
            identities: As for `load`.
            prefix: As for `save_to`.

        Raises:
            KeyError: There is no store with this prefix.
            WrongKeyError, DamagedStoreError, NoMatchError: As `load`.
        """
        unlock = Unlock.of(key, identities)
        return cls._of(Table.of(_mapping.load(mapping, prefix, unlock)))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._table.closed

    def close(self) -> None:
        """Close the keys and forget the values; files stay as they are."""
        self._table.close()

    def __enter__(self) -> Self:
        self._table.count()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<SealedStore closed>"
        return f"<SealedStore of {len(self._table.records)} values>"

    def __reduce_ex__(self, _protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "a SealedStore is not pickled or copied: its key stays in secret "
            "memory; store.save(path) writes a file"
        )

    def __reduce__(self) -> NoReturn:
        self.__reduce_ex__(0)
