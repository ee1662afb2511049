"""What a Secret refuses: every way in which a value usually leaks."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from secretmem import Secret, SecretArea, _native, _policy


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.needs_secretmem

CONTENT = b"hunter2-hunter2"


@pytest.fixture
def secret() -> Iterator[Any]:
    """Give a secret whose content must not turn up."""
    with Secret.from_bytes(CONTENT, name="login") as made:
        yield made


REFUSED: dict[str, tuple[Any, str | None]] = {
    "bytes": (bytes, "export_bytes"),
    "bytearray": (bytearray, None),
    "memoryview": (memoryview, None),
    "list": (list, "reveal"),
    "tuple": (tuple, "reveal"),
    "set": (set, "reveal"),
    "iter": (iter, "reveal"),
    "reversed": (reversed, "reveal"),
    "sum": (sum, "reveal"),
    "unpacking": (lambda s: [*s], "reveal"),
    "hash": (hash, "hash"),
    "key": (lambda s: {s: 1}, "hash"),
    "in": (lambda s: b"hunter" in s, "reveal"),
    "index": (lambda s: s[0], "slices"),
    "int": (int, None),
    "float": (float, None),
    "copy": (copy.copy, r"secret\[:\]"),
    "deepcopy": (copy.deepcopy, r"secret\[:\]"),
    "json": (json.dumps, None),
    "order": (lambda s: s < s, "order"),  # noqa: PLR0124 - with itself
    "call": (lambda s: s(), None),
    "vars": (vars, None),
    "join": (lambda s: b"".join([s]), None),
    "concatenate text": (lambda s: "x" + s, None),
    "str of bytes": (lambda s: str(s, "utf-8"), None),
    "int from bytes": (int.from_bytes, "export_bytes"),
    "open": (open, None),
    "getstate": (lambda s: s.__getstate__(), None),
    "reduce": (lambda s: s.__reduce__(), None),
}


@pytest.mark.parametrize("way", REFUSED)
def test_refused_and_the_right_call_named(secret: Any, way: str) -> None:  # noqa: ANN401 - see the fixture
    """TypeError; nothing of the content is in the error."""
    use, says = REFUSED[way]
    with pytest.raises(TypeError, match=says) as caught:
        use(secret)
    printed = "".join(traceback.format_exception(caught.value))
    assert "hunter" not in printed.replace('b"hunter" in s', "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle(secret: Any, protocol: int) -> None:  # noqa: ANN401 - see the fixture
    """By any protocol, alone or inside of something, also a closed one."""
    for _ in range(2):
        for thing in (secret, [secret], {"key": (1, secret)}):
            with pytest.raises(TypeError, match="not pickled"):
                pickle.dumps(thing, protocol)
        secret.close()
    area = SecretArea(8)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(area, protocol)
    area.close()


def test_a_reduction_that_goes_around_holds_nothing(secret: Any) -> None:  # noqa: ANN401 - see the fixture
    """``object``'s own way has no access to the content."""
    try:
        reduced = object.__reduce_ex__(secret, 2)
    except TypeError:
        return
    assert "hunter" not in repr(reduced)


def test_texts_are_redacted(secret: Any) -> None:  # noqa: ANN401 - see the fixture
    """Every way to a text gives the same, without a length."""
    expected = "<Secret 'login' memfd_secret>"
    for text in (
        repr(secret),
        str(secret),
        ascii(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret:>40}",
        format(secret, "x"),
        "{}".format(secret),  # noqa: UP032 - another way
        "%s" % secret,  # noqa: UP031 - another way
        "%r" % secret,  # noqa: UP031 - another way
    ):
        assert text == expected
    longer = Secret.random(1000, name="login")
    assert repr(longer) == expected


def test_logs_are_redacted(
    secret: Any,  # noqa: ANN401 - see the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As an argument, as a message, as extra data."""
    log = logging.getLogger("test")
    log.error("failed for %s", secret)
    log.error(secret)
    log.error("failed", extra={"secret": secret})
    assert "hunter" not in caplog.text
    assert "<Secret 'login' memfd_secret>" in caplog.text


def test_strict_format(
    secret: Any,  # noqa: ANN401 - see the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``str`` and ``format`` raise and name the call; ``repr`` never does."""
    monkeypatch.setattr(_policy.active, "strict_format", False)
    secretmem.configure(strict_format=True)
    for use in (
        str,
        lambda s: f"{s}",
        lambda s: f"{s:>9}",
        lambda s: "%s" % s,  # noqa: UP031 - another way
    ):
        with pytest.raises(TypeError, match="export_str"):
            use(secret)
    assert repr(secret) == f"{secret!r}" == "<Secret 'login' memfd_secret>"
    secretmem.configure(strict_format=False)
    assert str(secret) == repr(secret)


class Hostile(str):
    """A name whose own text cannot be had."""

    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no text for you")

    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    def __format__(self, spec: str) -> str:
        raise RuntimeError("no text for you")


def test_repr_does_not_raise_whatever_the_name_is() -> None:
    """A log must not break; a subclass of str is only its characters."""
    with Secret.random(1, name=Hostile("odd")) as secret:
        assert repr(secret) == "<Secret 'odd' memfd_secret>"
        assert type(secret.name) is str


def test_it_is_made_by_its_constructors_only() -> None:
    """Neither called nor subclassed."""
    wrong: Any = Secret
    for make in (
        wrong,
        lambda: wrong(b"x"),
        lambda: wrong.__new__(wrong),
        lambda: object.__new__(wrong),
        _native.SecretBase,
        lambda: copy.copy(wrong.random(1)),
    ):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (Secret,), {})
    with pytest.raises(TypeError):
        type("Mine", (_native.View,), {})


def test_a_failed_call_leaves_nothing_for_the_next() -> None:
    """The parts of one secret never become another object."""
    wrong: Any = Secret
    with pytest.raises(TypeError):
        Secret.random(4, name="x")(1)  # type: ignore[operator]  # what is under test
    with pytest.raises(TypeError):
        wrong()


def test_no_length_by_the_size_of_the_object() -> None:
    """It is the same for all."""
    sizes = {sys.getsizeof(Secret.random(n)) for n in (0, 1, 100, 100_000)}
    assert len(sizes) == 1


def test_it_has_no_attributes_that_hold_content(secret: Any) -> None:  # noqa: ANN401 - see the fixture
    """Whatever dir() lists."""
    for name in dir(secret):
        value = getattr(secret, name)
        assert "hunter" not in repr(value), name
        assert not isinstance(value, bytes | bytearray | memoryview), name
