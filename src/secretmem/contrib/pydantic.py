"""
pydantic 2 with Secrets as fields.

A field of type ``Secret`` takes a ``Secret``, or an object of
`secretmem.sources`, which is read.  It takes no text, since nobody can tell
whether that is the secret or says where it is: `SourcedSecret` reads the
source that a text names, for settings; `CopiedSecret` takes the text itself,
which was in ordinary memory before.  `SecretStr` and `SecretBytes` have the
names and methods of pydantic's own classes, for programs that use those.

Each is written as ``"**********"`` into JSON, and has a JSON schema of type
string, with format password and writeOnly.  A failed validation shows no
value of these fields; that of another field may, see `FromText`.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from secretmem import Secret, hazmat, sources
from secretmem.contrib._common import missing
from secretmem.exceptions import CopiedWarning, SourceError


try:
    import pydantic
    from pydantic_core import core_schema
except ImportError as error:
    raise missing("pydantic", "pydantic>=2.7") from error

from secretmem._pydantic import MASK, as_it_is, failure, json_schema, masked


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core.core_schema import CoreSchema, ValidationInfo

__all__ = (
    "CopiedSecret",
    "FromSource",
    "FromText",
    "SecretBytes",
    "SecretStr",
    "SourcedSecret",
)

# What a text may name unless it is said: these do not start programs.
_SCHEMES = frozenset(
    each for each in sources.schemes() if each not in ("cmd", "sh", "prompt")
)

_T = TypeVar("_T", str, bytes)


@dataclass(frozen=True, slots=True)
class FromText:
    """
    Lets a field of type ``Secret`` take text or bytes: ``Annotated[...]``.

    The value was in ordinary memory before, and copies of it are there:
    each validation warns with CopiedWarning.  pydantic shows the whole input
    of a model in the error of *another* field that is missing; the setting
    ``hide_input_in_errors`` of the model stops that.

    Args:
        min_length: The least size in bytes; in the place of pydantic's
            ``Field(min_length=...)``, whose error would show the value.
        max_length: The largest size in bytes.
        warn: False says nothing.
    """

    min_length: int = 0
    max_length: int | None = None
    warn: bool = True

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make the Secret before the rest of the field's schema sees it."""
        return core_schema.with_info_before_validator_function(
            self._secret, handler(source)
        )

    def _secret(self, value: object, info: ValidationInfo) -> object:
        made = _copied(value, info, warn=self.warn)
        if isinstance(made, Secret):
            size = len(made)
            most = size if self.max_length is None else self.max_length
            if not self.min_length <= size <= most:
                raise failure(
                    "secret_length",
                    f"the secret has {size} bytes, not "
                    f"{self.min_length} to {self.max_length or 'any number'}",
                )
        return made


@dataclass(frozen=True, slots=True)
class FromSource:
    """
    Lets a field of type ``Secret`` take the text of a source, and reads it.

    For values that the operator writes, such as settings: **never for what
    a client sends**, who could name any file of the machine.

    Args:
        schemes: Those that are accepted, also inside others; None for all
            but ``cmd``, ``sh`` and ``prompt``.
    """

    schemes: Collection[str] | None = None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Read it before the rest of the field's schema sees it."""
        return core_schema.no_info_before_validator_function(
            self._read, handler(source)
        )

    def _read(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        scheme, colon, _ = value.partition(":")
        if not colon or not sources.known(scheme):
            # It may be the secret itself, and is not shown.
            raise failure(
                "secret_source",
                "that does not begin with the scheme of a source, such as "
                "file: or credential:; is it the secret itself?",
            )
        try:
            found = sources.parse(value)
        except SourceError as error:
            raise failure("secret_source", error.in_one()) from None
        allowed = _SCHEMES if self.schemes is None else self.schemes
        for each in _all(found):
            if each.scheme not in allowed:
                raise failure(
                    "secret_source",
                    f"sources of {each.scheme}: are not accepted here; "
                    "FromSource(schemes=...) names those that are",
                )
        return found


SourcedSecret = Annotated[Secret, FromSource()]
"""A ``Secret`` that is read from the source that a text names."""

CopiedSecret = Annotated[Secret, FromText()]
"""A ``Secret`` that is made of text, with a warning."""


def _copied(value: object, info: ValidationInfo, *, warn: bool) -> object:
    """Make a Secret of text, bytes and pydantic's own secrets."""
    if isinstance(value, pydantic.SecretStr | pydantic.SecretBytes):
        value = value.get_secret_value()
    if not isinstance(value, str | bytes):
        return value
    if warn:
        warnings.warn(
            "this secret was text in ordinary memory, and copies of it are "
            "there; a source (secretmem.sources) is read into secret memory",
            CopiedWarning,
            stacklevel=_outside(),
        )
    try:
        return _made_of(value, info.field_name)
    except ValueError as error:
        # pydantic's own error of it would show the text.
        raise failure("secret_text", str(error)) from None


def _made_of(value: str | bytes, name: str | None = None) -> Secret:
    """Copy text or bytes into a Secret."""
    if isinstance(value, bytes):
        return Secret.from_bytes(value, name=name)
    return Secret._from_str(value, name=name)  # noqa: SLF001 - our own


def _all(source: sources.Source) -> Iterator[sources.Source]:
    """Give a source and those inside it."""
    yield source
    for inner in vars(source).values():
        if isinstance(inner, sources.Source):
            yield from _all(inner)


def _outside() -> int:
    """Count the frames up to the code that validates something."""
    depth, frame = 0, sys._getframe(1)  # noqa: SLF001 - as warnings does
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(
        ("secretmem.", "pydantic")
    ):
        depth, frame = depth + 1, frame.f_back
    return depth + 1


class _Wrapped(Generic[_T]):
    """What `SecretStr` and `SecretBytes` have in common."""

    __slots__ = ("secret",)

    _type: ClassVar[type]

    def __init__(self, value: _T | Secret) -> None:
        if not isinstance(value, Secret | self._type):
            raise TypeError(
                f"{type(self).__name__} is made of {self._type.__name__} or "
                f"a Secret, not {type(value).__name__}"
            )
        self.secret = value if isinstance(value, Secret) else _made_of(value)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Take what pydantic's class takes, a Secret and a source."""
        del source, handler
        return core_schema.with_info_plain_validator_function(
            cls._validated,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=masked(),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say what pydantic says of its own class."""
        return json_schema(schema, handler)

    @classmethod
    def _validated(cls, value: object, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        return cls(as_it_is(_copied(value, info, warn=True)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.secret == other.secret

    __hash__ = None  # type: ignore[assignment]  # it would tell about the content

    def __len__(self) -> int:
        return len(self.secret)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._type(MASK, *self._coded)!r})"

    _coded: ClassVar[tuple[str, ...]] = ()


class SecretStr(_Wrapped[str]):
    """
    In the place of ``pydantic.SecretStr``; the text is in secret memory.

    ``secret`` is the ``Secret``.  ``len()`` counts bytes of UTF-8.  There is
    no hash, which would tell about the content.

    Args:
        value: The text, or a Secret, which is then shared.
    """

    __slots__ = ()
    _type = str

    def get_secret_value(self) -> str:
        """
        Copy it into a ``str``, as pydantic's does: an export.

        ``posture().exports`` counts it under the line that calls, and so
        lists the places that are still to be changed.
        """
        return hazmat.export_str(self.secret)


class SecretBytes(_Wrapped[bytes]):
    """In the place of ``pydantic.SecretBytes``; see `SecretStr`."""

    __slots__ = ()
    _type = bytes
    _coded = ("ascii",)

    def get_secret_value(self) -> bytes:
        """Copy it into ``bytes``: an export."""
        return hazmat.export_bytes(self.secret)
