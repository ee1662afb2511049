"""`secretmem.redact`: other ways to write a secret, and where it may be."""

from __future__ import annotations

import html
import json
import subprocess
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from hygiene.victims import RAW, TEXT, Shows
from secretmem import Secret
from secretmem.redact import Redactor


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs_secretmem


@pytest.fixture
def redactor() -> Redactor:
    """Give one that knows a text and some bytes."""
    with Secret.from_bytes(TEXT.encode(), name="phrase") as phrase:
        return Redactor(phrase, Secret.from_bytes(RAW, name="raw"))


WORD = "пароль-секрет ü 𝄞 <&> p@ss/w0rd"


@pytest.mark.parametrize(
    "shown",
    [
        json.dumps(WORD),
        json.dumps({"password": WORD}),
        ascii(WORD),
        quote(WORD),
        quote_plus(WORD),
        html.escape(WORD),
        f"postgresql://u:{quote(WORD, safe='')}@host/db",
    ],
)
def test_other_ways_to_write_it(shown: str) -> None:
    """JSON, ascii(), URLs and HTML: the line is withheld."""
    with Secret.from_bytes(WORD.encode(), name="word") as secret:
        redactor = Redactor(secret)
    text = redactor.text(f"before\n{shown}\nafter")
    assert text.startswith("before\n[")
    assert text.endswith("]\nafter") or "[secret 'word']" in text
    for piece in (shown[12:24], shown[-20:-8], "пароль", "p%40ss", "w0rd"):
        assert piece not in text
    assert redactor.holds(shown)


@pytest.mark.parametrize(
    "secret",
    [
        "123456\n234567\n345678\n456789",
        "tok\x85en\x1cwith\u2028breaks\x0bmany",
        "abc\r\ndef\r\nghi\r\njkl",
    ],
)
def test_secrets_of_several_lines(secret: str) -> None:
    """All their lines are found, plain and with escapes."""
    redactor = Redactor(Secret.from_bytes(secret.encode(), name="x"))
    assert redactor.text(f"is {secret}\nok") == "is [secret 'x']\nok"
    assert redactor.text(f"is {secret!r}\nok").startswith("[a line with")


@pytest.mark.parametrize("text", ["passpasspass", "1212121212", "a" * 40])
def test_texts_of_few_characters(text: str) -> None:
    """They would never be found, so they are not taken."""
    for each in (text, text + "bcd"):
        secret = Secret.from_bytes(each.encode())
        if len(set(each)) < 5:
            with pytest.raises(ValueError, match="less than 5 different"):
                Redactor(secret)
        else:
            assert each not in Redactor(secret).text(f"x {each}")


@pytest.mark.parametrize("before", range(6))
def test_runs_of_one_character(before: int) -> None:
    """Wherever they are in the text."""
    word = "1111-2222-3333-4444-5555"
    with Secret.from_bytes(word.encode(), name="x") as secret:
        redactor = Redactor(secret)
    start = "z" * before
    assert redactor.text(f"{start}{word}") == f"{start}[secret 'x']"


class _Own(Exception):  # noqa: N818 - a test's own
    def __init__(self, value: object) -> None:
        super().__init__("refused")
        self.value = value
        self._hidden = {"of": value}

    def __str__(self) -> str:
        return f"refused {self.value}"


def _errors() -> Iterator[BaseException]:
    for call in (
        lambda: open(f"/nothing/{TEXT}"),  # noqa: PTH123, SIM115 - fails
        lambda: subprocess.run(["false", TEXT], check=True),
        lambda: compile(f"{TEXT} =", "x", "exec"),
        lambda: TEXT.encode("ascii") and RAW.decode(),
    ):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - that is what is made
            yield error
    yield _Own(TEXT)
    yield ValueError(Shows())


def test_attributes_of_exceptions(redactor: Redactor) -> None:
    """What the interpreter and the standard library keep there."""
    for error in _errors():
        assert redactor.holds(_shown(error)), type(error)
        redactor.scrub(error)
        assert not redactor.holds(_shown(error)), type(error)


def _shown(error: BaseException) -> list[str]:
    return [
        *traceback.format_exception_only(error),
        *(str(error), repr(error), repr(getattr(error, "object", None))),
    ]
