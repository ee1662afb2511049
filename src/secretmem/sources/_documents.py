"""Sources inside a document: ``json:`` and ``dotenv:``."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from secretmem.sources._base import Source
from secretmem.sources._files import File, inside, path_in
from secretmem.sources._registry import nested
from secretmem.sources._text import decoded, split, syntax


if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike
    from typing import Any, Self

    from secretmem import Secret


class Document(Source):
    """
    One value of a document; the document is read into secret memory.

    In the text form the document is a path, or, when it begins with the
    scheme of another source and a colon, that source; a path that begins
    like that is written with ``./``.

    Args:
        document: A path or a source.
        **options: As for every source.
    """

    def __init__(
        self,
        document: Source | str | PathLike[str],
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(**options)
        if isinstance(document, Source):
            self.document = document
        else:
            self.document = File(document)

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the document, and after the last ``#`` what is in it."""
        inner, hash_sign, wanted = rest.rpartition("#")
        if not hash_sign:
            raise syntax(
                text,
                "it does not say which value",
                f"write {cls.scheme}:FILE#NAME",
            )
        document = nested(inner)
        keywords: dict[str, Any] = {}
        if document is None:
            parts = split(text, inner).only(*cls.options)
            document = File(path_in(parts))
            keywords = cls._keywords(parts)
        return cls._of(text, document, wanted, keywords)

    @classmethod
    @abstractmethod
    def _of(
        cls, text: str, document: Source, wanted: str, keywords: dict[str, Any]
    ) -> Self:
        """Make one from the pieces of its text form."""

    def _load(self, options: dict[str, Any]) -> Secret:
        kept = {k: v for k, v in options.items() if k != "name"}
        with self.document.read(**kept) as document:
            return self._found(document, options["name"])

    @abstractmethod
    def _found(self, document: Secret, name: str) -> Secret:
        """Take the value out of the document."""

    def stamp(self) -> object | None:
        """Give that of the document."""
        return self.document.stamp()

    def leaves(self) -> Iterator[Source]:
        """Give those of the document."""
        yield from self.document.leaves()

    def _with(self, wanted: str) -> str:
        """Write the text form, with what is wanted of the document."""
        query = "&".join(f"{key}={value}" for key, value in self._said())
        mark = "?" if query else ""
        return f"{self.scheme}:{inside(self.document)}{mark}{query}#{wanted}"


class Json(Document):
    """
    ``json:FILE#a.b``: one string of a JSON document (RFC 8259).

    A step of the path that consists of digits is the index of an array; a
    key that looks like one, or has a dot, is written with percent signs.

    Args:
        document: A path or a source; at most 64 KiB.
        *path: Keys and indices, from the outermost in.
        **options: As for every source.
    """

    scheme = "json"
    remedies = {  # noqa: RUF012 - a ClassVar, as the base says
        "content": "check the document (RFC 8259), and the path to a string"
    }

    def __init__(
        self,
        document: Source | str | PathLike[str],
        *path: str | int,
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(document, **options)
        self.path = path

    @classmethod
    def _of(
        cls, text: str, document: Source, wanted: str, keywords: dict[str, Any]
    ) -> Self:
        steps = wanted.split(".") if wanted else []
        if "" in steps:
            raise syntax(text, "a step of the path is empty")
        path = [_step(text, step) for step in steps]
        return cls(document, *path, **keywords)

    @property
    def name(self) -> str:
        """The last key of the path."""
        return str(self.path[-1]) if self.path else self.document.name

    def _found(self, document: Secret, name: str) -> Secret:
        return document.json_field(*self.path, name=name)

    def __str__(self) -> str:
        steps = ".".join(_written(step) for step in self.path)
        return self._with(steps)


class Dotenv(Document):
    """
    ``dotenv:FILE#NAME``: one value of a .env document.

    Args:
        document: A path or a source; at most 64 KiB.
        field: The name before the equals sign.
        **options: As for every source.
    """

    scheme = "dotenv"
    remedies = {  # noqa: RUF012 - a ClassVar, as the base says
        "content": "check the document, which has lines NAME=VALUE",
        "missing": "check the name: it is that before the equals sign",
    }

    def __init__(
        self,
        document: Source | str | PathLike[str],
        field: str,
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(document, **options)
        self.field = field

    @classmethod
    def _of(
        cls, text: str, document: Source, wanted: str, keywords: dict[str, Any]
    ) -> Self:
        if not wanted:
            raise syntax(text, "it names no value")
        return cls(document, decoded(text, wanted), **keywords)

    @property
    def name(self) -> str:
        """The name in the document."""
        return self.field

    def _found(self, document: Secret, name: str) -> Secret:
        return document.dotenv_field(self.field, name=name)

    def __str__(self) -> str:
        return self._with(_written(self.field))


def _step(text: str, step: str) -> str | int:
    if step.isascii() and step.isdigit():
        return int(step)
    return decoded(text, step)


def _written(step: str | int) -> str:
    from urllib.parse import quote

    if isinstance(step, int):
        return str(step)
    if step.isascii() and step.isdigit():
        return "".join(f"%{ord(digit):02X}" for digit in step)
    return quote(step, safe="").replace(".", "%2E")
