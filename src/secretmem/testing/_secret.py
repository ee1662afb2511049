"""The fake's `SecretBase`: what the compiled class does, in Python."""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Any, Final, Self

from secretmem import _errors
from secretmem.testing import _bytes, _machine
from secretmem.testing._view import WINDOWS, View


if TYPE_CHECKING:
    from collections.abc import Callable

    from secretmem.testing._machine import Machine, Slot


MOST_BYTES: Final = 256 << 20
"""Bytes of the largest secret."""


class Counts:
    """What is live: all secrets, and those that children have."""

    live = 0
    inherit = 0
    by_default = False
    """Whether new secrets pass to children unless told otherwise."""


class SecretBase:
    """A value in the fake machine's memory."""

    __slots__ = (
        "_closed",
        "_inherit",
        "_isolated",
        "_machine",
        "_name",
        "_pid",
        "_size",
        "_slot",
        "_views",
        "_writing",
    )

    _closed: bool
    _inherit: bool
    _isolated: bool
    _machine: Machine
    _name: str | None
    _pid: int
    _size: int
    _slot: Slot | None
    _views: int
    _writing: bool

    def __new__(cls, *_args: object, **_options: object) -> Self:
        """Refuse: secrets are made by their constructors."""
        raise TypeError(
            "Secret is made by its constructors: Secret.from_file, "
            "Secret.random, Secret.from_bytes and others"
        )

    @classmethod
    def _make(
        cls,
        data: bytes,
        *,
        name: str | None = None,
        inherit: bool | None = None,
        isolated: bool = False,
        flush: bool = False,
    ) -> Self:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name is a str, not {type(name).__name__}")
        if len(data) > MOST_BYTES:
            raise ValueError(f"a Secret holds at most {MOST_BYTES} bytes")
        self = object.__new__(cls)
        self._closed = True
        self._slot = None
        self._machine = _machine.machine()
        self._name = None if name is None else str.__str__(name)
        self._inherit = Counts.by_default if inherit is None else bool(inherit)
        self._isolated = bool(isolated)
        self._size = len(data)
        self._pid = os.getpid()
        self._views = 0
        self._writing = False
        self._slot = self._machine.put(data, isolated=self._isolated)
        self._closed = False
        Counts.live += 1
        Counts.inherit += self._inherit
        del flush  # the fake has no cache
        return self

    def __del__(self) -> None:
        """Wipe it with the last reference."""
        if getattr(self, "_slot", None) is not None:
            self._end()

    @classmethod
    def random(cls, size: int, **options: Any) -> Self:  # noqa: ANN401
        """Make `size` random bytes."""
        count = _size(size)
        if count > MOST_BYTES:
            raise ValueError(f"a Secret holds at most {MOST_BYTES} bytes")
        return cls._make(os.urandom(count), **options)

    @classmethod
    def from_bytes(
        cls,
        data: Any,  # noqa: ANN401 any buffer
        /,
        *,
        wipe: bool = False,
        **options: Any,  # noqa: ANN401 as the compiled class
    ) -> Self:
        """Copy a bytes-like object, and zero it if `wipe`."""
        content = _bytes.of_buffer(data)
        if wipe:
            _bytes.check_writable(data)
        made = cls._make(content, **options)
        if wipe:
            _bytes.wipe_buffer(data)
        return made

    @classmethod
    def _from_str(cls, text: str, /, **options: Any) -> Self:  # noqa: ANN401
        return cls._make(_bytes.of_text(text), **options)

    @classmethod
    def _read(
        cls,
        fd: int,
        *,
        line: bool,
        strip: bool,
        max_size: int,
        between: Callable[[], None] | None = None,
        **options: Any,  # noqa: ANN401 as the compiled class
    ) -> Self | None:
        most = _size(max_size)
        data = (
            _bytes.read_line(fd, most, between)
            if line
            else _bytes.read_all(fd, most)
        )
        if data is None:
            return None
        if strip:
            data = data.strip(_bytes.WHITE_SPACE)
        return cls._make(data, **options)

    @classmethod
    def _from_env(
        cls,
        variable: bytes,
        *,
        erase: bool,
        **options: Any,  # noqa: ANN401 as the compiled class
    ) -> Self | None:
        del erase  # the caller removes the variable; nothing else is erased
        value = os.environ.get(os.fsdecode(variable))
        if value is None:
            return None
        return cls._make(os.fsencode(value), **options)

    @property
    def name(self) -> str | None:
        """The name given at construction."""
        return self._name

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its machine was replaced."""
        gone = self._machine is not _machine.machine()
        return self._closed or gone

    @property
    def inherit(self) -> bool:
        """Whether forked children have it."""
        return self._inherit

    def __len__(self) -> int:
        """Give its length in bytes."""
        return self._size

    def __bool__(self) -> bool:
        """Tell whether it has any byte."""
        return self._size > 0

    def __eq__(self, other: object, /) -> bool:
        """Compare with another Secret in constant time."""
        if isinstance(other, SecretBase):
            return hmac.compare_digest(self._content(), other._content())
        if isinstance(other, str) or _bytes.has_buffer(other):
            raise TypeError(
                "a Secret is not compared with bytes or str: use "
                "secret.matches(candidate)"
            )
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # the subclass raises

    def _no_order(self, _other: object, /) -> bool:
        raise TypeError("secrets have no order")

    __lt__ = __le__ = __gt__ = __ge__ = _no_order

    def matches(self, candidate: Any, /) -> bool:  # noqa: ANN401 any buffer
        """Tell whether it holds these bytes (a str is taken as UTF-8)."""
        if isinstance(candidate, str):
            candidate = _bytes.of_text(candidate)
        else:
            candidate = _bytes.of_buffer(candidate)
        return hmac.compare_digest(self._content(), candidate)

    def __getitem__(self, key: slice, /) -> Self:
        """Give a part as a new Secret."""
        if not isinstance(key, slice):
            raise TypeError(
                "a Secret gives slices (secret[4:8] is a Secret), not "
                "single bytes"
            )
        return self._derived(self._content()[key])

    def __add__(self, other: object, /) -> Self:
        """Join with a Secret or a bytes-like object."""
        if isinstance(other, SecretBase):
            return self._derived(self._content() + other._content())
        if not _bytes.has_buffer(other):
            return NotImplemented
        return self._derived(self._content() + _bytes.of_buffer(other))

    def __radd__(self, other: object, /) -> Self:
        """Join a bytes-like object with it."""
        if not _bytes.has_buffer(other):
            return NotImplemented
        return self._derived(_bytes.of_buffer(other) + self._content())

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        if self.closed:
            raise _errors.closed()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close it."""
        self.close()

    def strip(self) -> Self:
        """Make a Secret without ASCII white space at the ends."""
        return self._derived(self._content().strip(_bytes.WHITE_SPACE))

    def reveal(self, *, writable: bool = False) -> View:
        """Give a context manager whose target is a memoryview."""
        return View(self, writable=bool(writable))

    def close(self) -> None:
        """End it; in a child, of a parent's secret, only here."""
        with self._machine.lock:
            if self._closed:
                return
            self._closed = True
            if self._pid == os.getpid() and not self._writing:
                self._end()

    def _decode(self, encoding: str, /, *, name: str | None = None) -> Self:
        data = _bytes.decoded(self._content(), encoding)
        return self._derived(data, name)

    def _write(self, fd: int, /) -> None:
        _bytes.write_all(fd, self._content())

    def _export(self) -> bytes:
        return self._content()

    def start_view(self, *, writable: bool) -> bytes:
        """Count a view and give what it shows."""
        with self._machine.lock:
            data = self._content()
            if writable and self._views:
                raise _errors.borrowed()
            self._views += 1
            self._writing = writable
        return data

    def end_view(self, *, writable: bool, data: bytes | None = None) -> None:
        """Count a view less; write back what a writable one holds."""
        with self._machine.lock:
            self._views -= 1
            if not writable:
                return
            self._writing = False
            if not self._closed:
                if data is not None and self._slot is not None:
                    self._machine.change(self._slot, data)
                return
            if self._slot is not None:
                self._end()
        if data is not None:
            raise _errors.closed()

    def _content(self) -> bytes:
        """Read it, if it may be used here and now."""
        WINDOWS.collect()
        with self._machine.lock:
            if self.closed or self._slot is None:
                raise _errors.closed()
            if self._pid != os.getpid() and not self._inherit:
                raise _errors.forked()
            if self._writing:
                raise _errors.borrowed()
            return self._machine.get(self._slot, self._size)

    def _derived(self, data: bytes, name: str | None = None) -> Self:
        return self._make(
            data, name=name, inherit=self._inherit, isolated=self._isolated
        )

    def _end(self) -> None:
        """Give the slot back, unless the machine is another's by now."""
        slot, self._slot = self._slot, None
        if slot is None:
            return
        Counts.live -= 1
        Counts.inherit -= self._inherit
        self._machine.drop(slot, self._size)


def _size(value: Any) -> int:  # noqa: ANN401 whatever the caller passed
    """
    Take a number of bytes.

    Raises:
        TypeError: it is no integer.
        ValueError: no memory has so many bytes.

    """
    size = value.__index__() if hasattr(value, "__index__") else None
    if size is None:
        raise TypeError(
            f"'{type(value).__name__}' object cannot be interpreted as an "
            "integer"
        )
    most = (1 << 63) - 1
    if not 0 <= size <= most:
        raise ValueError(f"a size is from 0 to {most} bytes")
    return int(size)
