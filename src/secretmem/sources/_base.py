"""`Source`: where a secret comes from, as an object that can be read."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from secretmem._shown import unless_unmade
from secretmem.exceptions import SecretmemError, SourceError
from secretmem.sources._text import quoted, syntax


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self

    from secretmem import Secret
    from secretmem.sources._text import Parts
    from secretmem.sources._watch import Watch


ENCODINGS = ("base32", "base64", "base64url", "hex")

_MAX_SIZE = 1 << 20

_EMPTY = "the option empty=yes accepts that"
_ENCODED = "check the option encoding, and that all of the text is there"
_NOTHING = "look why there was no input, or only white space"

# By errno: a reason, and what to do.
_REASONS = {
    errno.ENOENT: ("missing", "check the name, and that it is mounted"),
    errno.ENOTDIR: ("missing", "check the name"),
    errno.ENXIO: ("missing", "there is nobody at the other end"),
    errno.EBADF: ("missing", "pass the descriptor to this process"),
    errno.EACCES: ("denied", "let this user read it"),
    errno.EPERM: ("denied", "let this user read it"),
    errno.EISDIR: ("content", "name a file in that directory"),
    errno.ENAMETOOLONG: ("missing", "check the name: none can be so long"),
    errno.ELOOP: ("loop", "its symbolic links lead in a circle"),
}


class Source(ABC):
    """
    Where a secret comes from.

    A subclass implements `parse`, `name`, ``_load`` and ``__str__``; `stamp`
    if it can tell changes, and `leaves` if it reads other sources.  The entry
    point group ``secretmem.sources`` makes it a scheme.

    Args:
        encoding: What the value is written in: ``"base32"``, ``"base64"``,
            ``"base64url"`` or ``"hex"``; it is decoded in secret memory.
        empty: Whether an empty value is accepted.
    """

    scheme: ClassVar[str]
    """What its text form begins with."""

    options: ClassVar[tuple[str, ...]] = ("empty", "encoding")
    """The options of its text form."""

    remedies: ClassVar[dict[str, str]] = {}
    """What to do, by the reason of an error that does not say it."""

    def __init__(
        self, *, encoding: str | None = None, empty: bool = False
    ) -> None:
        if encoding is not None and encoding not in ENCODINGS:
            raise ValueError(
                f"an encoding is one of {', '.join(ENCODINGS)}: "
                f"not {encoding!r}"
            )
        self.encoding = encoding
        self.empty = empty

    @classmethod
    @abstractmethod
    def parse(cls, text: str, rest: str) -> Self:
        """
        Make one from its text form.

        Args:
            text: All of it, for messages.
            rest: What follows the scheme's colon.

        Raises:
            SourceError: It is not written as it should be.
        """

    @property
    @abstractmethod
    def name(self) -> str:
        """What the Secret is called, unless the reader says otherwise."""

    @abstractmethod
    def _load(self, options: dict[str, Any]) -> Secret:
        """
        Read the value as it is there, with these keywords of a constructor.

        OSError, EOFError, ValueError and LookupError become SourceError.
        """

    def stamp(self) -> object | None:
        """
        Return what is different after the value has changed.

        None where that cannot be told without reading.

        Raises:
            OSError: It is not there.
        """
        return None

    def leaves(self) -> Iterator[Source]:
        """
        Give the sources that something is read from.

        It is this one, unless it consists of others.
        """
        yield self

    def read(self, **options: Any) -> Secret:  # noqa: ANN401 - as for every constructor
        """
        Read the value into a new Secret.

        Args:
            **options: ``name``, ``inherit``, ``isolated`` and ``flush``, as
                for every constructor of Secret.

        Raises:
            SourceError: It cannot be had; says why and what to do.
            UnavailableError, LimitError: As for every Secret.
        """
        options.setdefault("name", self.name)
        try:
            secret = self._decoded(self._load(options), options["name"])
        except SecretmemError:
            raise
        except OSError as error:
            raise self._failed(error) from error
        except EOFError as error:
            raise self.error("empty", "its input ended") from error
        except (ValueError, LookupError) as error:
            # These messages of ours hold sizes and names only.
            reason = "content" if isinstance(error, ValueError) else "missing"
            text = error.args[0] if error.args else "it cannot be read"
            raise self._said_by(reason, str(text)) from error
        if not len(secret) and not self.empty:
            secret.close()
            remedy = _EMPTY if "empty" in self.options else _NOTHING
            raise self.error("empty", "the value is empty", remedy)
        return secret

    def watch(
        self,
        *,
        interval: float = 1.0,
        poll: bool = False,
        **options: Any,  # noqa: ANN401 - as for every constructor
    ) -> Watch:
        """
        Read the value, and follow its changes.

        Args:
            interval: Seconds from one look at the source to the next.
            poll: Read it at each look where that is the only way to see a
                change, as of a command's output.  A use then waits for it;
                with `Watch.follow` a thread does.
            **options: As for `read`, of every value.

        Raises:
            SourceError, UnavailableError, LimitError: As `read`.
        """
        from secretmem.sources._watch import Watch

        return Watch(self, interval, options, poll=poll)

    def _decoded(self, secret: Secret, name: str | None) -> Secret:
        """Decode; the text is wiped."""
        if self.encoding is None:
            return secret
        options = {"urlsafe": True} if self.encoding == "base64url" else {}
        encoding = self.encoding.removesuffix("url")
        decode = getattr(type(secret), f"from_{encoding}")
        try:
            with secret:
                decoded: Secret = decode(secret, name=name, **options)
        except ValueError as error:
            raise self.error("content", str(error), _ENCODED) from error
        return decoded

    def error(
        self, reason: str, message: str, remedy: str = ""
    ) -> SourceError:
        """Return an error that names this source."""
        return SourceError(
            message, source=str(self), reason=reason, remedy=remedy
        )

    def _said_by(self, reason: str, text: str) -> SourceError:
        """Make one of a message of ours; a remedy follows its semicolon."""
        message, _, remedy = text.partition("; ")
        return self.error(
            reason, message, remedy or self.remedies.get(reason, "")
        )

    def _failed(self, error: OSError) -> SourceError:
        number = error.errno or 0
        reason, remedy = _REASONS.get(number, ("failed", ""))
        remedy = self.remedies.get(reason, remedy)
        name = errno.errorcode.get(number, "no errno")
        return self.error(reason, f"{name}: {os.strerror(number)}", remedy)

    @classmethod
    def _keywords(cls, parts: Parts) -> dict[str, Any]:
        """Give the keywords of the constructor that the options state."""
        encoding = parts.options.get("encoding")
        if encoding is not None and encoding not in ENCODINGS:
            known = ", ".join(ENCODINGS)
            raise syntax(
                parts.text,
                f"there is no encoding {encoding!r}",
                f"it is one of: {known}",
            )
        return {
            "encoding": encoding,
            "empty": parts.switch("empty", default=False),
        }

    def _written(self, body: str) -> str:
        """Write the text form, with the options that are not the default."""
        pairs = "&".join(f"{key}={value}" for key, value in self._said())
        return f"{self.scheme}:{quoted(body)}{'?' if pairs else ''}{pairs}"

    def _said(self) -> Iterator[tuple[str, str]]:
        if self.encoding is not None:
            yield "encoding", self.encoding
        if self.empty:
            yield "empty", "yes"

    @abstractmethod
    def __str__(self) -> str: ...

    @unless_unmade
    def __repr__(self) -> str:
        return f"<Source {self}>"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(str(self))


class Stream(Source):
    """
    A source that is read from a descriptor.

    Args:
        strip: Take ASCII white space off both ends.
        max_size: The largest accepted size in bytes.
        **options: As for every source.
    """

    options = (*Source.options, "max_size", "strip")

    def __init__(
        self,
        *,
        strip: bool = False,
        max_size: int = _MAX_SIZE,
        **options: Any,  # noqa: ANN401 - encoding, empty
    ) -> None:
        super().__init__(**options)
        self.strip = strip
        self.max_size = max_size

    @classmethod
    def _keywords(cls, parts: Parts) -> dict[str, Any]:
        return {
            "strip": parts.switch("strip", default=False),
            "max_size": parts.number("max_size", _MAX_SIZE),
            **super()._keywords(parts),
        }

    def _said(self) -> Iterator[tuple[str, str]]:
        if self.strip:
            yield "strip", "yes"
        if self.max_size != _MAX_SIZE:
            yield "max_size", str(self.max_size)
        yield from super()._said()
