"""
The control: the API of `Secret` on ordinary bytes objects.

Written as people write such code today. The scanner must find the value in
every program that runs with it, or the scanner is blind.
"""

# ruff: noqa: ANN401 - takes whatever Secret takes

from __future__ import annotations

import base64
import json
import os
from contextlib import contextmanager


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self


class Ordinary:
    """A value in ordinary memory."""

    def __init__(self, value: bytes, name: str | None = None) -> None:
        self._value: bytes | None = value
        self.name = name
        self.inherit = False

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._value is None

    def _bytes(self) -> bytes:
        if self._value is None:
            raise ValueError("closed")
        return self._value

    @classmethod
    def random(cls, size: int, **_options: Any) -> Self:
        """Make a random value."""
        return cls(os.urandom(size))

    @classmethod
    def from_bytes(
        cls,
        data: Any,
        *,
        wipe: bool = False,
        **_options: Any,
    ) -> Self:
        """Copy a buffer."""
        made = cls(bytes(data))
        if wipe:
            data[:] = bytes(len(data))
        return made

    @classmethod
    def from_fd(
        cls,
        fd: Any,
        *,
        strip: bool = False,
        max_size: int = 1 << 20,
        **_options: Any,
    ) -> Self:
        """Read to the end."""
        value = b""
        number = fd if isinstance(fd, int) else fd.fileno()
        while part := os.read(number, 1 << 16):
            value += part
        if len(value) > max_size:
            raise ValueError(f"more than {max_size}")
        return cls(value.strip() if strip else value)

    _read = from_fd

    @classmethod
    def from_file(cls, path: str, **options: Any) -> Self:
        """Read a file."""
        with open(path, "rb") as file:  # noqa: PTH123 - keeps the target's imports few
            return cls.from_fd(file, **options)

    @classmethod
    def from_credential(cls, name: str, **options: Any) -> Self:
        """Read a credential."""
        folder = os.environ["CREDENTIALS_DIRECTORY"]
        options.pop("label", None)
        return cls.from_file(f"{folder}/{name}", **options)

    @classmethod
    def from_env(
        cls, name: str, *, erase: bool = True, **_options: Any
    ) -> Self:
        """Take a variable."""
        value = os.environb[name.encode()]
        if erase:
            del os.environ[name]
        return cls(value)

    @classmethod
    def from_base64(
        cls,
        data: Any,
        *,
        urlsafe: bool = False,
        **_options: Any,
    ) -> Self:
        """Decode base64."""
        text = cls._text(data).strip()
        text += b"=" * (-len(text) % 4)
        altchars = b"-_" if urlsafe else None
        return cls(base64.b64decode(text, altchars, validate=True))

    @classmethod
    def from_hex(cls, data: Any, **_options: Any) -> Self:
        """Decode hexadecimal digits."""
        return cls(bytes.fromhex(cls._text(data).decode()))

    @staticmethod
    def _text(data: Any) -> bytes:
        if isinstance(data, Ordinary):
            data = data._bytes()
        return data.encode() if isinstance(data, str) else bytes(data)

    @classmethod
    def prompt(
        cls,
        text: str = "Password: ",
        *,
        confirm: bool = False,
        **_options: Any,
    ) -> Self:
        """Ask at the terminal."""
        import getpass

        value = getpass.getpass(text).encode()
        # What the terminal passes of a line.
        if len(value) >= 4095:
            raise ValueError("the terminal may have cut the line")
        if confirm and getpass.getpass(f"{text}(again) ").encode() != value:
            raise ValueError("the two answers differ")
        return cls(value)

    def matches(self, candidate: Any) -> bool:
        """Compare with a candidate."""
        return self._bytes() == self._text(candidate)

    def strip(self) -> Self:
        """Take white space off."""
        return type(self)(self._bytes().strip())

    @contextmanager
    def reveal(self, *, writable: bool = False) -> Iterator[memoryview]:
        """Show it."""
        if not writable:
            yield memoryview(self._bytes())
            return
        buffer = bytearray(self._bytes())
        with memoryview(buffer) as view:
            yield view
        self._value = bytes(buffer)

    def json_field(self, *path: Any, name: str | None = None) -> Self:
        """Return one string of a document."""
        found = json.loads(self._bytes())
        for step in path:
            found = found[step]
        return type(self)(found.encode(), name)

    def dotenv_field(self, field: str, *, name: str | None = None) -> Self:
        """Return one value of a .env document."""
        for line in self._bytes().decode().splitlines():
            key, _, value = line.partition("=")
            if key == field:
                return type(self)(value.strip("'\"").encode(), name)
        raise KeyError(field)

    @property
    def text(self) -> str:
        """Show it as text."""
        return self._bytes().decode()

    def write_to(self, target: Any) -> None:
        """Write all of it."""
        number = target if isinstance(target, int) else target.fileno()
        left = memoryview(self._bytes())
        while left:
            left = left[os.write(number, left) :]

    def close(self) -> None:
        """Drop it."""
        self._value = None

    def __len__(self) -> int:
        return len(self._bytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ordinary) and self._bytes() == other._bytes()

    __hash__ = None  # type: ignore[assignment]  # as Secret

    def __getitem__(self, key: slice) -> Self:
        return type(self)(self._bytes()[key])

    def __add__(self, other: Any) -> Self:
        return type(self)(self._bytes() + self._text(other))

    def __radd__(self, other: Any) -> Self:
        return type(self)(self._text(other) + self._bytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class hazmat:  # noqa: N801 - stands where the module stands
    """The doors out."""

    @staticmethod
    def export_bytes(secret: Ordinary) -> bytes:
        """Give the bytes."""
        return secret._bytes()

    @staticmethod
    def export_str(secret: Ordinary, encoding: str = "utf-8") -> str:
        """Give the text."""
        return secret._bytes().decode(encoding)

    @staticmethod
    def counts() -> dict[str, int]:
        """Count nothing; the number is that of one export."""
        return {"somewhere": 1}
