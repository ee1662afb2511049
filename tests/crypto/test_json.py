"""One string out of a JSON document, beside the standard library's parser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretmem import Secret, _native


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.usefixtures("blocks"),
]

DOCUMENT = {
    "type": "service_account",
    "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n",
    "data": {"list": [1, None, {"token": "s.1234"}, "last"], "": "empty"},
    "number": 1.5e300,
    "ünï": 'quote " backslash \\ tab \t \N{SNOWMAN}',
}
PATHS: tuple[tuple[str | int, ...], ...] = (
    ("type",),
    ("private_key",),
    ("data", "list", 2, "token"),
    ("data", "list", 3),
    ("data", ""),
    ("ünï",),
)


@pytest.fixture(scope="module", autouse=True)
def blocks() -> Iterator[None]:
    """Check that no block of the heap stays behind."""
    before = _native.stats()["heap_blocks"]
    yield
    assert _native.stats()["heap_blocks"] == before


def document(value: Any, **options: Any) -> Secret:  # noqa: ANN401 - JSON
    """Make a Secret of a JSON document."""
    return Secret.from_bytes(json.dumps(value, **options).encode())


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("path", PATHS, ids=str)
def test_a_string_is_found(
    path: tuple[str | int, ...], *, ascii_only: bool
) -> None:
    """At each depth, with and without escapes."""
    right: Any = DOCUMENT
    for step in path:
        right = right[step]
    found = document(DOCUMENT, ensure_ascii=ascii_only).json_field(
        *path, name="field"
    )
    assert found.matches(right)
    assert found.name == "field"


def test_a_document_may_be_a_string() -> None:
    """Without a path."""
    assert document("value").json_field().matches("value")


@pytest.mark.parametrize(
    "text, path, reason",
    [
        (b"", (), "not valid"),
        (b"{", ("a",), "not valid"),
        (b'{"a": "b"} x', ("a",), "not valid"),
        (b'{"a": "b", "c": tru}', ("a",), "not valid"),
        (b'{"a": "\xff"}', ("a",), "not valid"),
        (b'{"a": "\\ud800"}', ("a",), "not valid"),
        (b"[" * 60_000, (0,), "not valid"),
        (b'{"a":' * 10_000, ("b",), "not valid"),
        (b'{"a": 1}', ("b",), "no such field"),
        (b'{"a": 1}', ("a", "b"), "no such field"),
        (b'{"a": "b"}', ("a", "b"), "no such field"),
        (b'{"a": "b"}', (0,), "no such field"),
        (b'["a"]', (1,), "no such field"),
        (b'["a"]', ("a",), "no such field"),
        (b'{"a": 1}', ("a",), "no string"),
        (b'{"a": {"b": "c"}}', ("a",), "no string"),
        (b'{"a": ["b"]}', ("a",), "no string"),
        (b'{"a": null}', ("a",), "no string"),
        (b'{"a": "b", "a": "c"}', ("a",), "twice"),
        (b'{"a": "b"}', ("a",) * 9, "at most 8"),
        (b" " * 65_536 + b"1", (), "at most 64 KiB"),
    ],
)
def test_what_is_wrong_is_said_without_content(
    text: bytes, path: tuple[str | int, ...], reason: str
) -> None:
    """Damaged, missing, of another type, ambiguous, too large."""
    with pytest.raises(ValueError, match=reason):
        Secret.from_bytes(text).json_field(*path)


def test_paths_are_checked() -> None:
    """Keys are str, indices are not negative."""
    secret = document(["a"])
    with pytest.raises(ValueError, match="negative"):
        secret.json_field(-1)
    for step in (b"a", 1.0, None, True):
        with pytest.raises(TypeError):
            secret.json_field(step)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("filler", ['"' + "\\n" * 32_740 + '"', "[" * 100])
def test_the_largest_document_fits(filler: str) -> None:
    """The parser's buffer is as large as it gets, and its claim holds."""
    tail = "]" * 100 if filler[0] == "[" else ""
    text = f'{{"a": {filler}{tail}, "b": "c"}}'
    text += " " * (65_536 - len(text))
    found = Secret.from_bytes(text.encode()).json_field("b")
    assert found.matches("c")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(value=JSON, path=st.lists(st.text() | st.integers(0, 4), max_size=3))
def test_it_agrees_with_the_standard_library(
    value: Any,  # noqa: ANN401 - JSON
    path: list[str | int],
) -> None:
    """Any document, any path."""
    right = value
    for step in path:
        try:
            fits = isinstance(right, dict if isinstance(step, str) else list)
            right = right[step] if fits else None
        except LookupError:
            right = None
    secret = document(value)
    if isinstance(right, str):
        assert secret.json_field(*path).matches(right)
    else:
        with pytest.raises(ValueError, match=r"no string|no such field"):
            secret.json_field(*path)
