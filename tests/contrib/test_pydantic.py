"""pydantic: Secrets as fields, in the place of its own SecretStr."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from secretmem import CopiedWarning, Secret, posture, sources
from secretmem.contrib.pydantic import (
    CopiedSecret,
    FromSource,
    FromText,
    SecretBytes,
    SecretStr,
    SourcedSecret,
)


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem

VALUE = "hunter2 äöü"
copied = pytest.warns(CopiedWarning, match="ordinary memory")


class Plain(BaseModel):
    """What is not text."""

    key: Secret


class Sourced(BaseModel):
    """What settings say."""

    key: SourcedSecret


class Copied(BaseModel):
    """What clients send."""

    key: CopiedSecret


class Strings(BaseModel):
    """The drop-in classes."""

    text: SecretStr
    data: SecretBytes | None = None


class Theirs(BaseModel):
    """pydantic's own: the control."""

    text: pydantic.SecretStr


def _refused(model: type[BaseModel], **fields: object) -> list[str]:
    """Give the messages of a failed validation; none shows the value."""
    with pytest.raises(ValidationError) as caught:
        model(**fields)
    shown = f"{caught.value} {caught.value.errors()} {caught.value.json()}"
    assert "hunter2" not in shown
    return [each["msg"] for each in caught.value.errors()]


def test_a_secret_is_taken_as_it_is(tmp_path: Path) -> None:
    """And so is a source, which is read; no text."""
    with Secret.random(8) as key:
        assert Plain(key=key).key is key
    path = tmp_path / "token"
    path.write_text(VALUE)
    made = Plain(key=sources.File(path))  # type: ignore[arg-type]  # pydantic takes more
    assert made.key.matches(VALUE)
    assert made.key.name == "token"
    for wrong in (VALUE, VALUE.encode(), 7, None, [VALUE]):
        (said,) = _refused(Plain, key=wrong)
        assert "SourcedSecret" in said
        assert type(wrong).__name__ in said
    (said,) = _refused(Plain, key=sources.File(tmp_path / "nothing"))
    assert "ENOENT" in said
    with pytest.raises(ValidationError, match="not str") as caught:
        Plain.model_validate_json(json.dumps({"key": VALUE}))
    assert "hunter2" not in str(caught.value)


def test_the_text_of_a_source(tmp_path: Path) -> None:
    """It is read; what may be the secret itself is not shown."""
    path = tmp_path / "token"
    path.write_text(f"{VALUE}\n")
    text = json.dumps({"key": f"file:{path}?strip"})
    assert Sourced.model_validate_json(text).key.matches(VALUE)
    for wrong in ("hunter2", "hunter2:hunter2", ""):
        (said,) = _refused(Sourced, key=wrong)
        assert "is it the secret itself?" in said
    (said,) = _refused(Sourced, key=f"file:{path}.nothing")
    assert "ENOENT" in said
    (said,) = _refused(Sourced, key="file:x?no=1")
    assert "no option" in said


@pytest.mark.parametrize(
    "text",
    ["cmd:true", "sh:true", "prompt:x", "json:cmd:true#a", "dotenv:sh:a#b"],
)
def test_programs_are_not_started_unless_said(text: str) -> None:
    """Also not inside another source."""
    (said,) = _refused(Sourced, key=text)
    assert "not accepted" in said


def test_schemes_that_are_named() -> None:
    """Those, and no others."""

    class Model(BaseModel):
        key: Annotated[Secret, FromSource(schemes={"sh"})]

    made = Model(key="sh:printf hunter2")  # type: ignore[arg-type]  # as above
    assert made.key.matches("hunter2")
    (said,) = _refused(Model, key="file:/etc/hostname")
    assert "sources of file:" in said


@pytest.mark.parametrize(
    "value",
    [VALUE, VALUE.encode(), pydantic.SecretStr(VALUE)],
    ids=["str", "bytes", "SecretStr"],
)
def test_text_by_name(value: object) -> None:
    """It warns, at the line that validates."""
    with copied as warned:
        made = Copied(key=value)  # type: ignore[arg-type]  # as above
    assert warned[0].filename == __file__
    assert made.key.matches(VALUE)
    assert made.key.name == "key"
    with Secret.random(8) as key:
        assert Copied(key=key).key is key
    _refused(Copied, key=["hunter2"])


def test_sizes_of_text() -> None:
    """Their error hides the value; pydantic's own shows it: the control."""

    class Model(BaseModel):
        key: Annotated[Secret, FromText(8, 16, warn=False)]
        other: Annotated[CopiedSecret, Field(min_length=8)] | None = None

    assert len(Model(key="12345678").key) == 8  # type: ignore[arg-type]  # as above
    for wrong in ("hunter2", "hunter2" * 3):
        (said,) = _refused(Model, key=wrong)
        assert f"{len(wrong)} bytes, not 8 to 16" in said
    with copied, pytest.raises(ValidationError, match="input_value='hunter2'"):
        Model(key=Secret.random(8), other="hunter2")  # type: ignore[arg-type]  # as above


def test_errors_of_other_fields() -> None:
    """They show the whole input, unless the model says otherwise."""

    class Model(Copied):
        other: int

    class Hidden(Model):
        model_config = ConfigDict(hide_input_in_errors=True)

    for model, shown in ((Model, True), (Hidden, False)):
        with copied, pytest.raises(ValidationError) as caught:
            model.model_validate({"key": "hunter2"})
        assert ("hunter2" in str(caught.value)) is shown


def test_what_is_shown() -> None:
    """In repr, in a dump and in JSON; beside pydantic's own."""
    with copied:
        made = Strings(text=VALUE, data=VALUE.encode())  # type: ignore[arg-type]  # as above
    other = Theirs(text=pydantic.SecretStr(VALUE))
    assert repr(made.text) == repr(other.text) == "SecretStr('**********')"
    assert str(made.text) == str(other.text) == f"{made.text}" == "*" * 10
    assert repr(made.data) == "SecretBytes(b'**********')"
    assert made.model_dump()["text"] is made.text
    assert made.model_dump(mode="json")["text"] == "*" * 10
    assert json.loads(made.model_dump_json(include={"text"})) == json.loads(
        other.model_dump_json()
    )
    with Secret.random(8, name="x") as key:
        plain = Plain(key=key)
        assert repr(plain) == "Plain(key=<Secret 'x' memfd_secret>)"
        assert plain.model_dump() == {"key": key}
        assert plain.model_dump_json() == '{"key":"**********"}'


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_json_schema(mode: Literal["validation", "serialization"]) -> None:
    """The same as of pydantic's own."""
    expected = Theirs.model_json_schema(mode=mode)["properties"]["text"]
    assert expected["format"] == "password"
    for model, name in (
        *((Plain, "key"), (Sourced, "key"), (Copied, "key")),
        (Strings, "text"),
    ):
        made = model.model_json_schema(mode=mode)["properties"][name]
        assert made == expected | {"title": name.title()}


@pytest.mark.parametrize("cls", [SecretStr, SecretBytes])
def test_the_drop_in_classes(cls: Callable[[Any], Any]) -> None:
    """Their value is an export, counted at the caller's line."""
    value: Any = VALUE if cls is SecretStr else VALUE.encode()
    before = sum(posture().exports.values())
    made = cls(value)
    assert (made == cls(value), made == cls(value[1:])) == (True, False)
    assert made != value
    assert len(made) == len(VALUE.encode())
    assert sum(posture().exports.values()) == before
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 1
    assert made.get_secret_value() == value
    assert posture().exports[f"{__file__}:{line}"] >= 1
    assert sum(posture().exports.values()) == before + 1
    assert cls(made.secret).secret is made.secret
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)
    with pytest.raises(TypeError, match="not int"):
        cls(7)


def test_the_drop_in_classes_are_validated(tmp_path: Path) -> None:
    """From text, from each other, from Secrets and sources."""
    path = tmp_path / "token"
    path.write_text(VALUE)
    with Secret.from_file(path) as key:
        for value in (key, SecretStr(key), sources.File(path)):
            made = Strings.model_validate({"text": value})
            assert made.text.secret == key
        with copied:
            again = Strings.model_validate_json(json.dumps({"text": VALUE}))
        assert again.text == SecretStr(key)
    _refused(Strings, text=["hunter2"])


def test_a_text_that_cannot_be_encoded() -> None:
    """As JSON may have it; the error does not show it."""
    with copied:
        _refused(Copied, key=f"{VALUE}\udc80")
    with copied:
        _refused(Strings, text=f"{VALUE}\udc80")


def test_copies_of_models() -> None:
    """They share the Secret; a deep one is refused, and so is a default."""
    with Secret.random(8) as key:
        assert Plain(key=key).model_copy().key is key
        with pytest.raises(TypeError, match="not copied"):
            Plain(key=key).model_copy(deep=True)
