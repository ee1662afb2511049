"""The fenced doors out: what they give, count, and leave behind."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from secretmem import BorrowError, ClosedError, Secret, hazmat
from support import alone


if TYPE_CHECKING:
    from types import TracebackType


pytestmark = pytest.mark.needs_secretmem

NOT_TEXT = b"hunter2-\xff\xfe-hunter2"


@pytest.mark.parametrize("size", [0, 1, 32, 4097, (1 << 20) + 1])
def test_bytes(size: int) -> None:
    """A bytes object of the whole content."""
    with Secret.random(size) as secret:
        out = hazmat.export_bytes(secret)
        assert type(out) is bytes
        assert len(out) == size
        assert secret.matches(out)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "latin-1", "utf-16", "cp1252", "UTF8", "utf-8-sig"]
)
def test_text(encoding: str) -> None:
    """In any encoding of text."""
    with Secret.from_bytes("prüfung €"[:7].encode(encoding)) as secret:
        assert hazmat.export_str(secret, encoding) == "prüfung"
        assert hazmat.export_str(secret, encoding=encoding) == "prüfung"


def _frames(error: BaseException) -> list[TracebackType]:
    """Collect every frame of an error and of what it came from."""
    found: list[TracebackType] = []
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        each = rest.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        trace = each.__traceback__
        while trace is not None:
            found.append(trace)
            trace = trace.tb_next
        rest += [each.__cause__, each.__context__]
    return found


def _assert_clean(error: BaseException) -> None:
    """No frame, argument or text of an error holds the content."""
    here = sys._getframe(1)
    for trace in _frames(error):
        if trace.tb_frame.f_code.co_filename == here.f_code.co_filename:
            continue
        for name, value in trace.tb_frame.f_locals.items():
            assert "hunter" not in repr(value), name
    printed = "".join(traceback.format_exception(error))
    assert "hunter" not in printed
    assert "hunter" not in repr(error.args)
    assert not isinstance(error, UnicodeError)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "ascii", "utf-16", "cp1252", "utf-8-sig", "idna"]
)
def test_what_is_not_text_is_a_value_error_without_it(encoding: str) -> None:
    """UnicodeDecodeError would carry the bytes."""
    content = NOT_TEXT + b"\x81"
    with Secret.from_bytes(content) as secret:
        with pytest.raises(ValueError, match=f"not {encoding} text") as caught:
            hazmat.export_str(secret, encoding)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        _assert_clean(caught.value)


@pytest.mark.parametrize(
    "encoding",
    ["nope", "hex", "base64", "rot13", "zlib", "unicode_escape", "punycode"],
)
def test_other_encodings_leave_nothing_either(encoding: str) -> None:
    """Unknown ones, those that are not of text, and those that warn."""
    with Secret.from_bytes(b"hunter2\\d\\uhunter2") as secret:
        try:
            hazmat.export_str(secret, encoding)
        except Exception as error:  # noqa: BLE001 - whatever it is
            _assert_clean(error)


def test_an_encoding_is_text() -> None:
    """TypeError, and nothing behind it."""
    wrong: Any = 5
    with Secret.from_bytes(b"hunter2") as secret:
        with pytest.raises(TypeError) as caught:
            hazmat.export_str(secret, wrong)
        _assert_clean(caught.value)


@pytest.mark.parametrize("thing", [b"x", "x", None, 5, object()])
def test_other_things_are_not_exported(thing: object) -> None:
    """TypeError, and not counted."""
    wrong: Any = thing
    before = secretmem.posture().exports
    for door in (hazmat.export_bytes, hazmat.export_str):
        with pytest.raises(TypeError, match="a Secret is exported"):
            door(wrong)
    assert secretmem.posture().exports == before


def _count(line: int) -> int:
    sites = secretmem.posture().exports
    return sites.get(f"{__file__}:{line}", 0)


def test_exports_are_counted_by_call_site() -> None:
    """File and line of the caller, and how often."""
    with Secret.from_bytes(b"x") as secret:
        line = sys._getframe().f_lineno + 2
        for _ in range(3):
            hazmat.export_bytes(secret)
            hazmat.export_str(secret)
        hazmat.export_bytes(secret)
    assert _count(line) == 3
    assert _count(line + 1) == 3
    assert _count(line + 2) == 1


def test_a_refused_export_is_not_counted() -> None:
    """Nothing came out."""
    secret = Secret.from_bytes(b"x")
    with secret.reveal(writable=True), pytest.raises(BorrowError):
        hazmat.export_bytes(secret)
    secret.close()
    line = sys._getframe().f_lineno
    with pytest.raises(ClosedError):
        hazmat.export_bytes(secret)
    assert _count(line + 2) == 0
    assert _count(line - 2) == 0


def test_a_call_without_a_python_caller_is_counted_too() -> None:
    """A thread may begin with the export."""

    def begin() -> None:
        import _thread
        import time

        import secretmem
        from secretmem import Secret, hazmat

        secret = Secret.from_bytes(b"x")
        errors: list[object] = []
        import sys

        sys.unraisablehook = errors.append
        _thread.start_new_thread(hazmat.export_bytes, (secret,))
        until = time.monotonic() + 300
        while not secretmem.posture().exports and not errors:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert not errors, errors
        assert list(secretmem.posture().exports.values()) == [1]

    alone.passes(begin)


def test_the_counts_are_a_copy() -> None:
    """A program cannot hide its exports by accident."""
    with Secret.from_bytes(b"x") as secret:
        hazmat.export_bytes(secret)
    secretmem.posture().exports.clear()
    assert secretmem.posture().exports


def test_the_copy_on_the_way_is_dropped() -> None:
    """``export_str`` keeps no bytes object alive."""
    # Made here: a constant of the code would be found in its tuple.
    marker = os.urandom(8).hex().encode()
    with Secret.from_bytes(marker) as secret:
        text = hazmat.export_str(secret)
    alive = [
        each
        for each in gc.get_objects()
        # By type: an object of Django's answers isinstance() by loading.
        if type(each) in {tuple, list} and marker in map(_as_bytes, each)
    ]
    assert text.encode() == marker
    assert [each for each in alive if each is not alive] == []


def _as_bytes(thing: object) -> object:
    return thing if type(thing) is bytes else None
