"""What a value, a text or an exception has in it."""

from __future__ import annotations

import html
import re
import sys
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType, TracebackType


# How many members of each container are looked at.
_MOST = 10_000

# What repr() and ascii() write for bytes and characters that are not
# printable, and JSON for those that are not ASCII, in pairs beyond U+FFFF.
_ESCAPE = re.compile(
    rb"\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[\\'\"/bfnrt])"
)
_ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_PAIR = 4  # bytes of UTF-16


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def shapes(text: str) -> Iterator[bytes]:
    """Give the bytes that a text may stand for."""
    data = encoded(text)
    yield data
    if b"\\" in data:
        yield _ESCAPE.sub(_unescaped, data)
    if b"%" in data:
        yield unquote_to_bytes(data)
    if b"&" in data:
        yield encoded(html.unescape(text))
    if not text.isascii():
        # Bytes that were decoded as they are.
        yield text.encode("latin-1", "replace")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    digits = code[1:].replace(b"\\u", b"")
    if code[:1] == b"x":
        return bytes.fromhex(digits.decode())
    if code[:1] in (b"u", b"U"):
        units = bytes.fromhex(digits.decode())
        if code[:1] == b"u" and len(units) == _PAIR:
            return encoded(units.decode("utf-16-be"))
        number = int.from_bytes(units, "big")
        return encoded(chr(number)) if number <= sys.maxunicode else code
    return _ESCAPED.get(code, code)


def parts(
    value: Any,  # noqa: ANN401 - whatever it is
    depth: int,
    attributes: int,
    seen: set[int],
) -> Iterator[bytes]:
    """Give the texts in a value as bytes."""
    # Not isinstance(): a lazy object would look for what it stands for.
    kind = type(value)
    inside: Iterable[object] = ()
    if issubclass(kind, str):
        yield from shapes(str.__str__(value))
    elif issubclass(kind, bytes | bytearray):
        yield bytes(value)
    elif not depth or id(value) in seen:
        return
    elif issubclass(kind, dict):
        items = list(dict.items(value))
        inside = [each for item in items for each in item]
    elif issubclass(kind, list | tuple | set | frozenset):
        inside = list(value)
    elif attributes and not issubclass(kind, type | ModuleType):
        inside = list(_attributes(value).values())
        attributes -= 1
    seen.add(id(value))
    for each in islice(inside, _MOST):
        yield from parts(each, depth - 1, attributes, seen)


def _attributes(value: object) -> dict[str, object]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    return found if type(found) is dict else {}


def chain(error: BaseException) -> Iterator[BaseException]:
    """Give an exception, its causes and the members of groups, once each."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions


# What exceptions of the interpreter keep beside their arguments.
_FIELDS = (
    *("filename", "filename2", "strerror", "text", "msg", "name", "obj"),
    *("object", "reason", "value", "code"),
)


def fields(error: BaseException) -> Iterator[tuple[str, object]]:
    """Give the attributes of an exception that can hold a text."""
    own = _attributes(error)
    for name in (*own, *(each for each in _FIELDS if each not in own)):
        if not name.startswith("__"):
            try:
                value = getattr(error, name)
            except Exception:  # noqa: BLE001, S112 - it is not there, or computed
                continue
            yield name, value


def frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
