"""The text form of sources: ``SCHEME:BODY?OPTION=VALUE&...#FRAGMENT``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from secretmem.exceptions import SourceError


SCHEME = re.compile(r"[a-z][a-z0-9+.-]*\Z")

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def syntax(text: str, message: str, remedy: str = "") -> SourceError:
    """Return the error of a source that is not written as it should be."""
    return SourceError(message, source=text, reason="syntax", remedy=remedy)


@dataclass(frozen=True)
class Parts:
    """A source's text, taken apart; the percent signs are decoded."""

    text: str
    body: str
    options: dict[str, str] = field(default_factory=dict)
    # As written: who splits it decodes the pieces.
    fragment: str | None = None

    def only(self, *options: str, fragment: bool = False) -> Parts:
        """
        Check that nothing is there that this source does not know.

        Raises SourceError.
        """
        for name in self.options:
            if name not in options:
                known = ", ".join(sorted(options)) or "none"
                raise syntax(
                    self.text,
                    f"it has no option {name!r}",
                    f"its options are: {known}",
                )
        if self.fragment is not None and not fragment:
            raise syntax(self.text, "it takes no #fragment", "write # as %23")
        return self

    def switch(self, option: str, *, default: bool) -> bool:
        """Return an option that is ``yes`` or ``no``; alone it is yes."""
        value = self.options.get(option)
        if value is None:
            return default
        if value not in ("", "yes", "no"):
            raise syntax(self.text, f"{option} is yes or no, not {value!r}")
        return value != "no"

    def number(self, option: str, default: int) -> int:
        """Return an option that is a number of at least 0."""
        value = self.options.get(option)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit()):
            raise syntax(self.text, f"{option} is a number, not {value!r}")
        return int(value)


def scheme_of(text: str) -> str:
    """Return what looks like the scheme of a source; else nothing."""
    scheme, colon, _ = text.partition(":")
    return scheme if colon and SCHEME.match(scheme) else ""


def split_scheme(text: str) -> tuple[str, str]:
    """
    Return the scheme of a source and what follows its colon.

    Raises SourceError when it has none.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not SCHEME.match(scheme):
        raise syntax(
            text,
            "it does not begin with a scheme",
            "write for example file:PATH",
        )
    if "\0" in text or "\n" in text:
        raise syntax(text, "it is one line without NUL")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise syntax(text, "a character of it stands for no byte") from None
    return scheme, rest


def split(text: str, rest: str) -> Parts:
    """Take apart what follows the colon."""
    bad = _BAD_PERCENT.search(rest)
    if bad:
        raise syntax(
            text,
            "a % is not followed by two hexadecimal digits",
            "write % as %25",
        )
    rest, hash_sign, fragment = rest.partition("#")
    body, question, query = rest.partition("?")
    options: dict[str, str] = {}
    for item in query.split("&") if question else ():
        name, _, value = item.partition("=")
        name = decoded(text, name)
        if not name:
            raise syntax(text, "an option has no name")
        if name in options:
            raise syntax(text, f"it has the option {name!r} twice")
        options[name] = decoded(text, value, "surrogateescape")
    # Names of files and variables are bytes.
    body = decoded(text, body, "surrogateescape")
    return Parts(text, body, options, fragment if hash_sign else None)


def decoded(text: str, part: str, errors: str = "strict") -> str:
    """Decode percent signs (RFC 3986, section 2.1) as UTF-8."""
    from urllib.parse import unquote

    try:
        plain = unquote(part, errors=errors)
        plain.encode(errors=errors)
    except UnicodeError:
        raise syntax(text, "what its % signs stand for is no UTF-8") from None
    if "\0" in plain:
        raise syntax(text, "it is one line without NUL")
    return plain


def quoted(part: str) -> str:
    """Write a body or value so that `split` gives it back."""
    from urllib.parse import quote

    safe = "/:@ !$'()*+,;=~[]{}|^<>\"\\`"
    return quote(part, safe, errors="surrogateescape")
