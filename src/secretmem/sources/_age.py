"""Sources that are encrypted with age, wherever they lie: ``age:``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from secretmem.exceptions import CryptoError
from secretmem.sources._base import Source
from secretmem.sources._commands import Command
from secretmem.sources._files import File, inside, path_in, path_of
from secretmem.sources._registry import begins_one, nested
from secretmem.sources._text import quoted, split, syntax


if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import Any, Self

    from secretmem import Secret


_MARK = "?identity="


class Age(Source):
    """
    ``age:SOURCE?identity=IDENTITY``: what is encrypted with age.

    It is decrypted in secret memory.  Both are a path or, in the text form,
    the text of another source; a path that begins like one is written with
    ``./``.  The options of ``age`` then begin at the last ``?identity=``.

    What is read is in secret memory until it is known to be ciphertext.

    Args:
        source: A path or a source: age's file, armored or not.  The output of
            a command is taken as it is, for white space at its end may
            belong to it.
        identity: Where the identities are: lines of ``AGE-SECRET-KEY-1...``,
            or an ssh private key without passphrase.
        **options: As for every source.
    """

    scheme = "age"
    options = (*Source.options, "identity")

    def __init__(
        self,
        source: Source | str | os.PathLike[str],
        identity: Source | str | os.PathLike[str],
        **options: Any,  # noqa: ANN401 - as for every source
    ) -> None:
        super().__init__(**options)
        if not isinstance(source, Source):
            source = File(source)
        if isinstance(source, Command):
            source = copy.copy(source)
            source.strip = False
        if not isinstance(identity, Source):
            identity = File(identity)
        self.source: Source = source
        self.identity: Source = identity

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take what is encrypted and the identity, which has to be there."""
        source: Source | str
        inner, _, after = rest.rpartition(_MARK)
        found = nested(inner)
        if found is not None:
            source = found
            parts = split(text, _MARK + after).only(*cls.options)
        else:
            parts = split(text, rest).only(*cls.options)
            source = path_in(parts)
            if begins_one(source):
                raise syntax(
                    text,
                    "behind another source its options begin with ?identity=",
                    "write age:SOURCE?identity=FILE",
                )
        identity = parts.options.get("identity")
        if not identity:
            raise syntax(
                text,
                "it does not say who can decrypt it",
                "write age:FILE?identity=FILE",
            )
        return cls(
            source, nested(identity) or identity, **cls._keywords(parts)
        )

    @property
    def name(self) -> str:
        """That of the source, without ``.age``."""
        return self.source.name.removesuffix(".age")

    def _load(self, options: dict[str, Any]) -> Secret:
        from secretmem import age

        # The result is kept as the identity is.
        kept = {k: v for k, v in options.items() if k != "name"}
        encrypted = self._encrypted()
        try:
            with self.identity.read(**kept) as text:
                identities = age.load_identities(text)
                return age.decrypt(encrypted, identities, name=options["name"])
        except CryptoError as error:
            raise self._said_by("content", str(error)) from error

    def _encrypted(self) -> bytes:
        """Give what the source has, if that is ciphertext."""
        from secretmem.age._load import is_age

        with self.source.read() as text:
            if is_age(text):
                return text._export()  # noqa: SLF001 - not a secret: no export
        raise self.error(
            "content",
            "what it reads is not encrypted with age",
            "write to the store what `secretmem seal` makes of it",
        )

    def stamp(self) -> object | None:
        """Give that of what is encrypted."""
        return self.source.stamp()

    def leaves(self) -> Iterator[Source]:
        """Give what is encrypted, and the identity."""
        yield from self.source.leaves()
        yield from self.identity.leaves()

    def _said(self) -> Iterator[tuple[str, str]]:
        text = path_of(self.identity) or str(self.identity)
        yield "identity", quoted(text).replace("&", "%26")
        yield from super()._said()

    def __str__(self) -> str:
        query = "&".join(f"{key}={value}" for key, value in self._said())
        return f"age:{inside(self.source)}?{query}"
