"""`Table`: the records of a store by name, for any number of threads."""

from __future__ import annotations

import heapq
import os
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakSet

from secretmem._sealed import _record
from secretmem._sealed._file import Content
from secretmem.exceptions import ClosedError, KeyLimitError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from secretmem import Secret
    from secretmem._sealed._sealer import Sealer

# Replaced values and deleted ones leave their times behind; more of them than
# values that expire, and some, are swept.
_SPARE_TIMES = 1024
# A new key is introduced while others use the table; what they changed in the
# meantime is sealed anew in a second round, and the rest under the lock.
_ROUNDS = 2


class Table:
    """
    Records, the sealer that made them, and when which of them expires.

    Everything but sealing and opening happens under a lock, which is held
    for no longer than it takes to look into a dict, or to copy one; except
    that one which opens once is opened under it, and so are the values sealed
    anew that changed while a new key was introduced.
    """

    __slots__ = (
        *("__weakref__", "_lock", "_saving", "_sealer", "_times"),
        *("generation", "records", "version"),
    )

    def __init__(self, sealer: Sealer) -> None:
        self._sealer: Sealer | None = sealer
        # A signal handler may use the store where this thread holds it.
        self._lock = RLock()
        self._saving = RLock()
        self.records: dict[str, bytes] = {}
        # Of those that expire: when, the number of the put, the name.
        self._times: list[tuple[int, int, str]] = []
        self.version = 0
        self.generation = 0
        _Forking.tables.add(self)

    @classmethod
    def of(cls, content: Content) -> Self:
        """Make one of what was read."""
        table = cls(content.sealer)
        table.generation = content.generation
        table.records = content.records
        table.version = max(
            map(_record.version, content.records.values()), default=0
        )
        table._times = _times(content.records)
        return table

    @contextmanager
    def saving(self) -> Iterator[Content]:
        """
        Give what is to be saved, one at a time; it counts if that succeeds.

        Raises:
            ValueError: Nobody could open it.
        """
        with self._saving:
            sealer, records = self.copy()
            if sealer.private and not sealer.wrapped:
                raise ValueError(
                    "the store's key is random and nobody else has it: make "
                    "the store with a key, or for recipients"
                )
            content = Content(sealer, self.generation + 1, records)
            yield content
            self.generation += 1

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._sealer is None

    @property
    def sealer(self) -> Sealer:
        """
        Return the sealer.

        Raises:
            ClosedError: The store was closed.
        """
        return self._check()

    # -- Reading -------------------------------------------------------------

    def find(self, name: str) -> bytes:
        """
        Return a record.

        Raises:
            KeyError: There is none, or it has expired.
        """
        with self._lock:
            return self._find(name)

    def has(self, name: object) -> bool:
        """Tell whether there is a record."""
        with self._lock:
            return name in self._present()

    def count(self) -> int:
        """Count the records."""
        with self._lock:
            return len(self._present())

    def copy(self) -> tuple[Sealer, dict[str, bytes]]:
        """Return the sealer and what it has sealed at this moment."""
        with self._lock:
            return self.sealer, self._present().copy()

    def names(self) -> list[str]:
        """List the names, the oldest first."""
        with self._lock:
            return list(self._present())

    # -- Changing ------------------------------------------------------------

    def put(
        self,
        name: str,
        secret: Secret,
        expiry: int | None,
        *,
        once: bool,
        fresh: bool = False,
    ) -> bool:
        """
        Seal a value and enter it, if ``fresh`` only where there is none.

        Returns whether it was entered.

        Raises:
            KeyLimitError: It would be value 2**48.
        """
        text = _record.encoded(name)
        while True:
            with self._lock:
                sealer = self.sealer
                if self.version >= _record.MOST:
                    raise KeyLimitError(
                        f"this store has sealed {self.version} values, and "
                        "counts no further: use a new one"
                    )
                self.version += 1
                head = _record.head(self.version, expiry, once=once)
            record = sealer.seal(secret, text, head)
            with self._lock:
                # It may have been re-keyed meanwhile.
                if self.sealer is sealer:
                    if fresh and name in self._present():
                        return False
                    self._enter(name, record)
                    return True

    def take(self, name: str) -> tuple[Sealer, bytes]:
        """Remove a record."""
        with self._lock:
            record = self._find(name)
            del self.records[name]
            return self.sealer, record

    def take_last(self) -> tuple[str, Sealer, bytes]:
        """Remove the youngest record."""
        with self._lock:
            name, record = self._present().popitem()
            return name, self.sealer, record

    def opened(self, name: str) -> tuple[Secret, bytes]:
        """Open a record, and remove it if it opens once."""
        with self._lock:
            record = self._find(name)
            sealer = self._check()
            if _record.once(record):
                # Under the lock: nobody else opens it, and it stays if this
                # fails.
                secret = sealer.open(record, _record.encoded(name), name)
                self.records.pop(name, None)
                return secret, record
        return sealer.open(record, _record.encoded(name), name), record

    def back(self, name: str, secret: Secret, record: bytes) -> None:
        """Take back what was opened once, unless there is another by now."""
        if not self.closed and not self.has(name):
            self.put(name, secret, _record.expiry(record), once=True)

    def clear(self) -> None:
        """Remove all records."""
        with self._lock:
            self._present().clear()
            self._times.clear()

    def rekey(self, sealer: Sealer) -> None:
        """
        Seal everything anew; others go on using the table meanwhile.

        If this raises, the table is as it was.
        """
        done: dict[str, tuple[bytes, bytes]] = {}
        for _ in range(_ROUNDS):
            older, records = self.copy()
            _again(sealer, older, records, done)
        with self._lock:
            older, records = self.sealer, self._present()
            _again(sealer, older, records, done)
            self.records = {name: done[name][1] for name in records}
            # Nothing closes the older one: threads may be using it.
            self._sealer = sealer

    def close(self) -> None:
        """Close the keys and forget the records."""
        with self._lock:
            sealer, self._sealer = self._sealer, None
            self.records = {}
            self._times = []
        if sealer is not None:
            sealer.close()

    def _check(self) -> Sealer:
        sealer = self._sealer
        if sealer is None:
            raise ClosedError("the SealedStore was closed")
        return sealer

    # -- Under the lock ------------------------------------------------------

    def _present(self) -> dict[str, bytes]:
        """Return the records, without what has expired."""
        self._check()
        if self._times:
            self._expire(_record.now())
        return self.records

    def _expire(self, now: int) -> None:
        times = self._times
        while times and times[0][0] <= now:
            _, version, name = heapq.heappop(times)
            record = self.records.get(name)
            if record is not None and _record.version(record) == version:
                del self.records[name]

    def _find(self, name: str) -> bytes:
        return self._present()[name]

    def _enter(self, name: str, record: bytes) -> None:
        """Let the latest put win, not the last to get here."""
        old = self.records.get(name)
        version = _record.version(record)
        if old is not None and _record.version(old) > version:
            return
        expiry = _record.expiry(record)
        if expiry is not None:
            heapq.heappush(self._times, (expiry, version, name))
            if len(self._times) > 2 * len(self.records) + _SPARE_TIMES:
                self._times = _times(self.records)
        self.records[name] = record


def _again(
    sealer: Sealer,
    older: Sealer,
    records: dict[str, bytes],
    done: dict[str, tuple[bytes, bytes]],
) -> None:
    """Seal anew what is not done yet: name to older and newer record."""
    for name, record in records.items():
        if name not in done or done[name][0] is not record:
            done[name] = (record, sealer.again(record, name, older))


def _times(records: dict[str, bytes]) -> list[tuple[int, int, str]]:
    """List when what expires."""
    times = []
    for name, record in records.items():
        expiry = _record.expiry(record)
        if expiry is not None:
            times.append((expiry, _record.version(record), name))
    heapq.heapify(times)
    return times


class _Forking:
    """A forked child has its own copy of every table, and one thread."""

    tables: ClassVar[WeakSet[Table]] = WeakSet()

    @classmethod
    def child(cls) -> None:
        """Release locks that other threads held when this was forked."""
        for table in cls.tables:
            table._lock, table._saving = RLock(), RLock()  # noqa: SLF001 - as in its constructor


os.register_at_fork(after_in_child=_Forking.child)
