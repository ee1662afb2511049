"""Sources that are encrypted files: ``age:``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem.exceptions import CryptoError
from secretmem.sources._base import Source
from secretmem.sources._files import File, inside, path_in
from secretmem.sources._registry import known, parse
from secretmem.sources._text import SCHEME, quoted, split, syntax


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from secretmem import Secret


class Age(Source):
    """
    ``age:FILE?identity=IDENTITY``: a file of age, decrypted inside.

    The identity is a path or, in the text form, the text of another source;
    a path that begins like one is written with ``./``.

    Args:
        path: The file, armored or not.
        identity: Where the identities are: lines of ``AGE-SECRET-KEY-1...``,
            or an ssh private key without passphrase.
        **options: As for every source.
    """

    scheme = "age"
    options = (*Source.options, "identity")

    def __init__(
        self,
        path: str | os.PathLike[str],
        identity: Source | str | os.PathLike[str],
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(**options)
        self.path = File(path).path
        if not isinstance(identity, Source):
            identity = File(identity)
        self.identity: Source = identity

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the path and the identity, which has to be there."""
        parts = split(text, rest).only(*cls.options)
        identity = parts.options.get("identity")
        if not identity:
            raise syntax(
                text,
                "it does not say who can decrypt it",
                "write age:FILE?identity=FILE",
            )
        scheme, colon, _ = identity.partition(":")
        other = colon and SCHEME.match(scheme) and known(scheme)
        return cls(
            path_in(parts),
            parse(identity) if other else identity,
            **cls._keywords(parts),
        )

    @property
    def name(self) -> str:
        """The file's own name, without ``.age``."""
        return os.path.basename(self.path).removesuffix(".age")  # noqa: PTH119 - as written

    def _load(self, options: dict[str, Any]) -> Secret:
        from secretmem import age

        # The result is kept as the identity is.
        kept = {k: v for k, v in options.items() if k != "name"}
        try:
            with self.identity.read(**kept) as text:
                identities = age.load_identities(text)
                return age.decrypt(self.path, identities, name=options["name"])
        except CryptoError as error:
            raise self.error("content", str(error)) from error

    def stamp(self) -> object | None:
        """Give that of the file."""
        return File(self.path).stamp()

    def _said(self) -> Iterator[tuple[str, str]]:
        yield "identity", quoted(inside(self.identity)).replace("&", "%26")
        yield from super()._said()

    def __str__(self) -> str:
        return self._written(self.path)
