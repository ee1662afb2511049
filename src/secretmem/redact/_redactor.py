"""`Redactor`: what it finds, and takes out."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from secretmem import Secret
from secretmem.audit.planted import Planted
from secretmem.audit.search import WINDOW, Search
from secretmem.exceptions import SecretmemError
from secretmem.redact._values import (
    chain,
    encoded,
    fields,
    frames,
    parts,
    shapes,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Self


# In front of what is searched, and where the search starts. It looks at each
# fifth place, and passes over runs of one byte: a text such as 1111-2222-3333
# needs a second start.
_BEFORE = b"\0\0"
_STARTS = (0, len(_BEFORE))
# Different bytes in what the search takes for a piece (rust/core/src/audit).
VARIETY = 5
# What `Redactor.value` has looked at whole.
PLAIN = (str, bytes, bytearray, int, float, bool, type(None), Secret)
# How deep containers are looked into, and attributes.
_DEPTH = 20
_ATTRIBUTES = 2


class Redactor:
    """
    Takes pieces of Secrets out of what is printed, logged or sent.

    Eight bytes in a row are a piece.  What is looked for is kept in secret
    memory, about 8 KiB for a Secret of 32 bytes; the Secrets may be closed.
    A context manager: `close` wipes it, and it then redacts no more.

    A forked child makes it anew, of Secrets that it has (``inherit=True``).
    Where it cannot search, all that it is asked about is withheld; it does
    not raise.

    Args:
        *secrets: What is looked for: at least eight bytes each, five of them
            different.

    Raises:
        ValueError: A Secret is shorter, or less varied.
        LimitError, UnavailableError: As for every Secret.
    """

    def __init__(self, *secrets: Secret) -> None:
        self._known: list[Planted] = []
        self._searches: list[Search] = []
        self._pid = os.getpid()
        self._uninstall: list[Callable[[], None]] = []
        self.add(*secrets)

    def add(self, *secrets: Secret) -> None:
        """
        Look for these too, for example after a rotation.

        Raises:
            TypeError, ValueError, LimitError: As at the start.
        """
        for secret in secrets:
            if not isinstance(secret, Secret):
                raise TypeError(
                    f"a Secret is looked for, not {type(secret).__name__}"
                )
            if len(secret) < WINDOW:
                raise ValueError(
                    f"a Secret of less than {WINDOW} bytes is not looked "
                    "for: it would be found everywhere"
                )
            if not _is_varied(secret):
                raise ValueError(
                    f"a Secret of less than {VARIETY} different bytes is not "
                    "looked for: the search takes such bytes for padding"
                )
        planted = [Planted(_label(each), "raw", each) for each in secrets]
        if planted:
            self._searches.append(Search(planted))
            self._known += planted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Put the hooks back, and wipe what is looked for."""
        while self._uninstall:
            self._uninstall.pop()()
        searches, self._searches, self._known = self._searches, [], []
        for search in searches:
            search.close()

    # -- Texts and values ----------------------------------------------------

    def holds(self, value: object) -> bool:
        """
        Tell whether a value has a piece in it.

        Looks into text, bytes and containers, and into the attributes of
        objects, two objects deep; not into slots.
        """
        found = list(parts(value, _DEPTH, _ATTRIBUTES, set()))
        try:
            return bool(found and self._spans(b"\0".join(found)))
        except (OSError, SecretmemError):
            return True

    def text(self, text: str) -> str:
        """
        Give a text with each piece replaced by the Secret's name.

        A line is withheld as a whole where a piece is written with escapes,
        as by ``repr``, JSON, URLs and HTML; and the whole text where such a
        piece goes over several lines.
        """
        try:
            return self._clean(text)
        except (OSError, SecretmemError, MemoryError) as error:
            return _withheld(error) + "\n" * text.endswith("\n")

    def value(self, value: Any) -> Any:  # noqa: ANN401 - whatever it is
        """
        Give a value with each piece in it replaced.

        Text and bytes, and lists, tuples, sets and dictionaries of them, are
        made anew if they hold one; what holds none is given back as it is,
        and so are all other objects.
        """
        return self._value(value, _DEPTH) if self.holds(value) else value

    def _value(self, value: Any, depth: int) -> Any:  # noqa: ANN401 - as above
        kind = type(value)
        if issubclass(kind, str):
            return self.text(value)
        if issubclass(kind, bytes | bytearray):
            return kind(self._data(bytes(value)))
        if not depth:
            return value
        if issubclass(kind, dict):
            return {
                self._value(k, depth - 1): self._value(v, depth - 1)
                for k, v in dict.items(value)
            }
        for made in (list, tuple, set, frozenset):
            if issubclass(kind, made):
                return made(self._value(each, depth - 1) for each in value)
        return value

    def _data(self, data: bytes) -> bytes:
        try:
            return _replaced(data, self._spans(data))
        except (OSError, SecretmemError) as error:
            return _withheld(error).encode()

    def _clean(self, text: str) -> str:
        if not self._seen(text):
            return text
        data = encoded(text)
        if spans := self._spans(data):
            text = _replaced(data, spans).decode("utf-8", "replace")
        text = "\n".join(map(self._line, text.split("\n")))
        found = self._seen(text)
        return _unsaid("text", found) if found else text

    def _seen(self, text: str) -> list[tuple[int, int, str]]:
        """Find pieces in whatever a text may stand for."""
        return self._spans(b"\0".join(shapes(text)))

    def _line(self, line: str) -> str:
        found = self._seen(line)
        return _unsaid("line", found) if found else line

    def _spans(self, data: bytes) -> list[tuple[int, int, str]]:
        """Find pieces: where each begins and ends, and what it is of."""
        if len(data) < WINDOW or not self._known:
            return []
        if self._pid != os.getpid():
            # The tables of the parent are not here.
            self._searches = [Search(self._known)]
            self._pid = os.getpid()
        searches = tuple(self._searches)
        # The search reads from a descriptor; the text is no secret's place.
        fd = os.memfd_create("redact", os.MFD_CLOEXEC)
        try:
            view = memoryview(_BEFORE + data)
            while view:
                view = view[os.write(fd, view) :]
            end = len(_BEFORE) + len(data)
            found = sorted(
                {
                    (hit.address, hit.address + hit.size, hit.form.key)
                    for search in searches
                    for start in _STARTS
                    for hit in search.scan(fd, start, end)[0]
                }
            )
        finally:
            os.close(fd)
        joined: list[tuple[int, int, str]] = []
        for start, end, label in found:
            if joined and start <= joined[-1][1]:
                first, last, name = joined[-1]
                joined[-1] = first, max(last, end), name
            else:
                joined.append((start, end, label))
        skipped = len(_BEFORE)
        return [(a - skipped, b - skipped, name) for a, b, name in joined]

    # -- Exceptions ----------------------------------------------------------

    def scrub(self, error: BaseException) -> int:
        """
        Take copies out of an exception, its causes, and their functions.

        The variables of each function that has ended and holds a piece are
        cleared, all of them (``frame.clear()``); arguments, attributes and
        notes of the exceptions are replaced.  Functions that still run keep
        their variables, a group its message, and an exception what its own
        ``__str__`` makes.

        Returns:
            How many functions were cleared.
        """
        cleared = 0
        for each in chain(error):
            each.args = tuple(map(self.shown, each.args))
            for name, value in fields(each):
                clean = self.shown(value)
                if clean is not value:
                    with suppress(AttributeError, TypeError):
                        setattr(each, name, clean)
            notes = getattr(each, "__notes__", None)
            if notes is not None:
                notes[:] = self.value(list(notes))
            for frame in frames(each.__traceback__):
                cleared += self._clear(frame)
        return cleared

    def shown(self, value: Any) -> Any:  # noqa: ANN401 - whatever it is
        """Give a value without pieces, or the text of an object with some."""
        clean = self.value(value)
        if clean is not value or isinstance(value, PLAIN):
            return clean
        try:
            text = f"{value!s}\n{value!r}"
        except Exception:  # noqa: BLE001 - its own fault, and shown nowhere
            return value
        found = self._seen(text)
        return _unsaid(type(value).__name__, found) if found else value

    def _clear(self, frame: FrameType) -> bool:
        if not self.holds(frame.f_locals):
            return False
        try:
            frame.clear()
        except RuntimeError:
            return False  # it still runs
        return True

    def install(self) -> None:
        """
        Redact what is printed of exceptions that nobody caught.

        Those of the program, of threads, and those that cannot be raised
        (``sys.excepthook``, ``threading.excepthook``,
        ``sys.unraisablehook``).  A hook that was there before, such as that
        of rich, gets the exception after `scrub`.  `close` puts them back.
        """
        self._hook(sys, "excepthook", lambda kind, error, _: error or kind())
        self._hook(threading, "excepthook", lambda args: args.exc_value)
        self._hook(sys, "unraisablehook", lambda args: args.exc_value)

    def _hook(
        self,
        module: Any,  # noqa: ANN401 - a module
        name: str,
        error_of: Callable[..., BaseException | None],
    ) -> None:
        before = getattr(module, name)

        def hook(*args: Any) -> None:  # noqa: ANN401 - each has its own
            error = error_of(*args)
            if error is not None:
                # An error here would make Python print the exception whole;
                # the stream below redacts what is printed of it.
                with suppress(Exception):
                    self.scrub(error)
            stream = sys.stderr
            if stream is not None:
                sys.stderr = RedactingStream(stream, self)
            try:
                before(*args)
            finally:
                sys.stderr = stream

        def put_back() -> None:
            if getattr(module, name) is hook:
                setattr(module, name, before)

        setattr(module, name, hook)
        self._uninstall.append(put_back)


def _replaced(data: bytes, spans: list[tuple[int, int, str]]) -> bytes:
    made, at = b"", 0
    for start, end, label in spans:
        made += data[at:start] + label.encode()
        at = end
    return made + data[at:]


def _unsaid(what: str, found: list[tuple[int, int, str]]) -> str:
    return f"[a {what} with {found[0][2].strip('[]')} is withheld]"


def _is_varied(secret: Secret) -> bool:
    """Count different bytes without a copy: slices are Secrets too."""
    kept: list[Secret] = []
    try:
        for at in range(len(secret)):
            byte = secret[at : at + 1]
            if any(byte == each for each in kept):
                byte.close()
                continue
            kept.append(byte)
            if len(kept) == VARIETY:
                return True
        return False
    finally:
        for byte in kept:
            byte.close()


def _label(secret: Secret) -> str:
    return "[secret]" if secret.name is None else f"[secret {secret.name!r}]"


def _withheld(error: Exception) -> str:
    return f"[withheld: the redactor cannot search, {type(error).__name__}]"


class RedactingStream:
    """
    A text stream in front of another one, such as ``sys.stderr``.

    For tools that print: each text that is written at once is redacted.
    What is written to the descriptor (faulthandler, other programs) passes
    by it.

    Args:
        stream: Where the text goes.
        redactor: What knows the Secrets.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor

    def write(self, text: str) -> int:
        """Write the redacted text; gives the length of what came."""
        self._stream.write(self._redactor.text(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write them as one text."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the stream's own
        return getattr(self._stream, name)
