"""`secretmem.redact`: pieces of Secrets, out of texts, values and logs."""

from __future__ import annotations

import base64
import io
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hygiene.victims import RAW, TEXT, Shows, Value, caught, ordinary
from secretmem import Secret
from secretmem.redact import RedactingFilter, RedactingStream, Redactor
from support import forked


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture
def redactor() -> Redactor:
    """Give one that knows a text and some bytes."""
    with Secret.from_bytes(TEXT.encode(), name="phrase") as phrase:
        return Redactor(phrase, Secret.from_bytes(RAW, name="raw"))


PLACES = {
    TEXT: "[secret 'phrase']",
    TEXT[3:14]: "[secret 'phrase']",
    RAW.hex(): "[secret 'raw']",
    RAW.hex().upper(): "[secret 'raw']",
    f"x{TEXT}y{TEXT}": "x[secret 'phrase']y[secret 'phrase']",
}


@pytest.mark.parametrize("found", PLACES)
def test_a_piece_is_replaced(redactor: Redactor, found: str) -> None:
    """The rest of the text stays, whatever it is."""
    for before, after in (("", ""), ("äöü: ", "\n"), ("a\\b\n", "\r\nb ü")):
        text = f"{before}{found}{after}"
        assert redactor.text(text) == f"{before}{PLACES[found]}{after}"


@pytest.mark.parametrize("before", range(3))
def test_base64(redactor: Redactor, before: int) -> None:
    """Wherever it begins; the characters at its borders may stay."""
    data = b"x" * before + RAW
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = redactor.text(f"token {encode(data).decode()}")
        assert text.startswith("token ")
        assert "[secret 'raw']" in text
        assert len(text) <= len("token [secret 'raw']") + 4 + before


@pytest.mark.parametrize(
    "line",
    [repr(RAW), repr(b"\n\t'\"\\" + RAW), str(RAW, "latin-1"), f"x={RAW!r}"],
)
def test_a_line_is_withheld(redactor: Redactor, line: str) -> None:
    """Where the bytes are written with escapes, or as characters."""
    text = redactor.text(f"before\n{line}\nafter")
    kept = "before\n[a line with secret 'raw' is withheld]\nafter"
    assert text == kept


def test_other_texts_stay(redactor: Redactor) -> None:
    """The same object; a piece of seven bytes is none."""
    for text in ("", "x", "correct", r"\x00\n \q", "ü" * 99, "\ud800 a"):
        assert redactor.text(text) is text
        assert not redactor.holds(text)


def test_values(redactor: Redactor) -> None:
    """Containers are made anew where something is in them."""
    inner = ["a", {"b": (RAW, bytearray(RAW), {f"x {TEXT}"}, 7, None)}]
    secret = b"[secret 'raw']"
    assert redactor.holds(inner)
    assert redactor.value(inner) == [
        "a",
        {"b": (secret, secret, {"x [secret 'phrase']"}, 7, None)},
    ]
    clean = {"a": [b"b", Secret.random(8)]}
    assert redactor.value(clean) is clean
    assert redactor.value({TEXT: 1}) == {"[secret 'phrase']": 1}


def test_what_is_looked_into(redactor: Redactor) -> None:
    """Attributes, two objects deep; circles end."""
    one = SimpleNamespace(two=SimpleNamespace(text=TEXT))
    assert redactor.holds(one)
    assert not redactor.holds(SimpleNamespace(one=one))
    circle: list[object] = ["x"]
    circle.append(circle)
    assert not redactor.holds(circle)
    deep: object = TEXT
    for _ in range(15):
        deep = [deep]
    assert redactor.holds(deep)


def test_what_can_be_looked_for() -> None:
    """Secrets of eight bytes or more, also later, until it is closed."""
    with Redactor() as redactor:
        assert redactor.text(TEXT) is TEXT
        with pytest.raises(ValueError, match="less than 8 bytes"):
            redactor.add(Secret.random(8), Secret.random(7))
        with pytest.raises(TypeError, match="not str"):
            redactor.add(TEXT)  # type: ignore[arg-type]  # that is the test
        redactor.add(Secret.from_bytes(TEXT.encode()))
        assert redactor.text(TEXT) == "[secret]"
    assert redactor.text(TEXT) is TEXT


class _Lazy:
    """As Django's and werkzeug's objects that stand for others."""

    @property
    def __class__(self) -> type:
        raise RuntimeError("it was asked what it stands for")

    @__class__.setter
    def __class__(self, cls: type) -> None:
        raise RuntimeError(cls)


def test_lazy_objects_stay_lazy(redactor: Redactor) -> None:
    """Nobody asks what they stand for."""
    lazy = _Lazy()
    assert not redactor.holds([lazy])
    assert redactor.value([TEXT, lazy])[1] is lazy


def test_a_child_makes_it_anew() -> None:
    """Of Secrets that it has; otherwise everything is withheld."""
    inherited = Secret.from_bytes(TEXT.encode(), name="phrase", inherit=True)
    redactor = Redactor(inherited)
    assert forked.run(lambda: redactor.text(f"a {TEXT}\n")).result() == (
        "a [secret 'phrase']\n"
    )
    assert redactor.text(TEXT) == "[secret 'phrase']"
    redactor.add(Secret.random(8))

    def child() -> list[object]:
        return [
            redactor.text("short"),
            redactor.text("what is harmless\n"),
            redactor.value([b"what is harmless", 7]),
            redactor.holds("what is harmless"),
        ]

    withheld = "[withheld: the redactor cannot search, ForkError]"
    assert forked.run(child).result() == [
        "short",
        f"{withheld}\n",
        [withheld.encode(), 7],
        True,
    ]


def test_chains_and_groups(redactor: Redactor) -> None:
    """Causes, contexts, members and notes."""
    value = Value()
    redactor.add(value.secret())

    def nested() -> None:
        try:
            ordinary(value)
        except RuntimeError as error:
            error.add_note(f"with {TEXT}")
            raise ValueError(TEXT) from error

    try:
        nested()
    except ValueError as caught_error:
        error = caught_error
    group = ExceptionGroup("all", [error, error])
    assert redactor.scrub(group) >= 1
    assert error.args == ("[secret 'phrase']",)
    assert error.__cause__ is not None
    assert error.__cause__.__notes__ == ["with [secret 'phrase']"]
    assert redactor.scrub(group) == 0


def test_functions_that_run_keep_their_variables(redactor: Redactor) -> None:
    """They are not cleared."""
    token = TEXT
    error = KeyError(token)
    with pytest.raises(KeyError):
        raise error
    assert redactor.scrub(error) == 0
    assert error.args == ("[secret 'phrase']",)
    assert token == TEXT


def _logged(redactor: Redactor, *args: object, **options: object) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(message)s %(extra)s"))
    refuse = bool(options.pop("refuse", False))
    handler.addFilter(RedactingFilter(redactor, refuse=refuse))
    logger = logging.Logger("of the test")  # noqa: LOG001 - it goes with it
    logger.addHandler(handler)
    options.setdefault("extra", {"extra": "-"})
    logger.error(*args, **options)  # type: ignore[arg-type]  # as given
    return out.getvalue()


def test_log_records(redactor: Redactor) -> None:
    """Messages, arguments, extra attributes."""
    assert _logged(redactor, "a %s", "b") == "a b -\n"
    assert _logged(redactor, "a %s", TEXT) == "a [secret 'phrase'] -\n"
    assert _logged(redactor, f"a {TEXT}%") == "a [secret 'phrase']% -\n"
    extra = {"extra": {"a": TEXT}}
    assert "correct" not in _logged(redactor, "a", extra=extra)
    said = _logged(redactor, "a", extra={"extra": Shows()})
    assert said == "a [a Shows with secret 'phrase' is withheld]\n"
    said = _logged(redactor, "a %s", TEXT, refuse=True)
    assert "is withheld -" in said
    assert f"{__file__}:" in said
    with Secret.random(8, name="x") as secret:
        assert _logged(redactor, "%s", secret).startswith("<Secret 'x' ")


def test_log_records_with_wrong_formats(
    redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are for logging to complain about, without the secret."""
    assert _logged(redactor, "a %d", TEXT) == ""
    said = capsys.readouterr().err
    assert "--- Logging error ---" in said
    assert f"Arguments: ({PLACES[TEXT]!r},)" in said


def test_log_records_with_exceptions(redactor: Redactor) -> None:
    """The text of the exception, and what other tools see of it."""
    value = Value()
    redactor.add(value.secret())
    error = caught(ordinary, value)
    error.add_note(value.text())
    said = _logged(redactor, "failed", exc_info=error, stack_info=True)
    assert not value.shown_in(said)
    assert "RuntimeError: ('refused', " in said
    assert "Stack (most recent call last)" in said
    assert redactor.scrub(error) == 0


def test_a_stream(redactor: Redactor) -> None:
    """What is written at once; all else is the stream's own."""
    out = io.StringIO()
    stream = RedactingStream(out, redactor)
    print("a", TEXT, file=stream)
    assert stream.write(TEXT) == len(TEXT)
    stream.writelines([TEXT[:10], TEXT[10:]])
    stream.flush()
    assert not stream.isatty()
    assert out.getvalue() == "a [secret 'phrase']\n" + "[secret 'phrase']" * 2


_HOOKED = """
import sys, threading
from secretmem import Secret
from secretmem.redact import Redactor
text = sys.stdin.read()
before = sys.excepthook, threading.excepthook, sys.unraisablehook
with Redactor() as other:
    other.install()
    assert sys.excepthook is not before[0]
assert before == (sys.excepthook, threading.excepthook, sys.unraisablehook)
redactor = Redactor(Secret.from_bytes(text.encode(), name="token"))
if len(sys.argv) > 1:
    redactor.install()

def fail(token):
    raise ValueError(f"refused {token}")

class Failing:
    def __del__(self):
        fail(text)

thread = threading.Thread(target=fail, args=[text])
thread.start()
thread.join()
Failing()
fail(text)
"""


@pytest.mark.parametrize("installed", [True, False])
def test_hooks(installed: bool) -> None:  # noqa: FBT001 - a parameter
    """In a program of its own; without them each shows it: the control."""
    value = Value()
    done = subprocess.run(
        [sys.executable, "-c", _HOOKED, *["installed"] * installed],
        input=value.text(),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 1
    shown = value.text() if not installed else "[secret 'token']"
    assert done.stderr.count(f"refused {shown}") == 3, done.stderr
    assert value.shown_in(done.stderr) is not installed
