"""`secretmem.sources`: what is written, what is read, what is refused."""

from __future__ import annotations

import importlib.metadata
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretmem import Secret, SourceError, sources
from secretmem.sources import _files
from support import unprivileged


if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have some files, and be there."""
    (tmp_path / "token").write_bytes(b" word\n")
    (tmp_path / "hex").write_bytes(b"776f7264\n")
    (tmp_path / "base64url").write_bytes(b"_-8\n")
    (tmp_path / "base32").write_bytes(b"O5XXEZA=\n")
    (tmp_path / "empty").touch()
    (tmp_path / "100% #1?").write_bytes(b"odd")
    (tmp_path / "cmd:x").write_bytes(b'{"a": "path"}')
    (tmp_path / "doc").write_bytes(
        b'{"a": {"b": "ab", "c.d": "dot", "7": "digit"}, "l": ["x", "y"],'
        b' "n": 5, "e": "776f7264"}'
    )
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(_files, "DOCKER", str(tmp_path))
    return tmp_path


READ = {
    "file:token": b" word\n",
    "file:./token?strip": b"word",
    "file:token?strip=yes&max_size=10": b"word",
    "file:token?strip=no": b" word\n",
    "file:hex?encoding=hex": b"word",
    "file:base64url?encoding=base64url": b"\xff\xef",
    "file:empty?empty=yes": b"",
    "file:100%25%20%231%3f": b"odd",
    "file:/dev/null?empty": b"",
    "docker:token?strip": b"word",
    "credential:token": b" word\n",
    "file:base32?encoding=base32": b"word",
    "json:doc#a.b": b"ab",
    "json:doc#a.c%2Ed": b"dot",
    "json:doc#a.%37": b"digit",
    "json:doc#l.1": b"y",
    "json:doc?encoding=hex#e": b"word",
    "json:./doc#a.b": b"ab",
    "json:./cmd:x#a": b"path",
    "json:file:doc?max_size=200#a.b": b"ab",
    "json:cmd:cat doc#a.b": b"ab",
    "json:sh:echo '\"#\"'#": b"#",
    "cmd:cat token": b"word",
    "cmd:printf '%s' 'two words' more": b"two wordsmore",
    "cmd:printf %s a\\ b": b"a b",
    "sh:cat token | tr o 0": b"w0rd",
    "sh:exit 0; echo not": None,
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("text", READ)
def test_what_is_written_is_read(text: str) -> None:
    """And a source that is written again is the same."""
    source = sources.parse(text)
    assert sources.parse(str(source)) == source
    assert hash(sources.parse(str(source))) == hash(source)
    assert repr(source) == f"<Source {source}>"
    expected = READ[text]
    if expected is None:
        with pytest.raises(SourceError, match="empty"):
            source.read()
        return
    with source.read() as secret:
        assert secret.matches(expected)
        assert secret.name == source.name
    with sources.read(text, name="mine", inherit=True) as secret:
        assert secret.name == "mine"
        assert secret.inherit


SYNTAX = (
    "",
    "token",
    ":token",
    "File:token",
    "file:",
    "file:?strip",
    "file:token#part",
    "file:token?strip=maybe",
    "file:token?strip&strip",
    "file:token?trim",
    "file:token?=x",
    "file:token?max_size=-1",
    "file:token?max_size=\u0663",
    "file:token?encoding=rot13",
    "file:100%",
    "file:%zz",
    "file:%00",
    "json:doc#%ff",
    "dotenv:doc#%ff",
    "file:\ud800",
    "file:to\nken",
    "file:to\0ken",
    "fd:",
    "fd:x",
    "fd:-1",
    "fd:1234567890",
    "fd:\u0663",
    "docker:",
    "docker:..",
    "docker:a/b",
    "docker:a%2Fb",
    "credential:.",
    "k8s:key",
    "k8s:/",
    "k8s:/dir/..",
    "age:file",
    "age:?identity=key",
    "age:file?identity=",
    "age:file?identity=cmd:",
    "json:doc",
    "json:#a",
    "json:doc#a..b",
    "json:json:json#a",
    "json:" * 9 + "doc" + "#a" * 9,
    "age:cmd:cat token",
    "age:cmd:cat token?encoding=hex&identity=key",
    "age:cmd:cat token?identity=key#a",
    "age:cmd:cat token?identity=",
    "age:cmd:cat token?identity=key&trim",
    "age:file:?identity=key",
    "cmd:",
    "cmd:''",
    "cmd:echo 'x",
    "sh: ",
    "env:",
    "env:A=B",
    "env:A?erase=perhaps",
    "keyring:user",
    "keyring:/user",
    "nothing:x",
)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("text", SYNTAX)
def test_what_is_not_written_well_is_refused(text: str) -> None:
    """At once, before anything is read."""
    with pytest.raises(SourceError) as caught:
        sources.parse(text)
    assert caught.value.reason == "syntax"
    assert str(caught.value)


@given(
    st.text(max_size=30)
    | st.from_regex(r"(file|json|fd|k8s|age):.{0,20}(\?identity=.{0,9})?")
)
def test_any_text_is_a_source_or_an_error(text: str) -> None:
    """Nothing else comes out of it."""
    try:
        source = sources.parse(text)
    except SourceError:
        return
    assert sources.parse(str(source)) == source


def test_names_are_bytes(folder: Path) -> None:
    """Also those that are no UTF-8, and what is said of them."""
    (folder / os.fsdecode(b"\xff")).write_bytes(b"word")
    for text in ("file:%ff", f"file:{os.fsdecode(bytes([255]))}"):
        source = sources.parse(text)
        assert str(source) == "file:%FF"
        assert sources.parse(str(source)) == source
        with source.read() as secret:
            assert secret.matches("word")
    with pytest.raises(SourceError, match="file:%FE: ENOENT"):
        sources.read("file:%fe")


REFUSED = {
    "file:nothing": "missing",
    "file:token/x": "missing",
    "file:" + 300 * "x": "missing",
    "file:.": "content",
    "file:circle": "loop",
    "file:empty": "empty",
    "file:token?max_size=5": "content",
    "file:token?encoding=hex": "content",
    "fd:999": "missing",
    "docker:nothing": "missing",
    "credential:nothing": "missing",
    "json:nothing#a": "missing",
    "json:token#a": "content",
    "json:doc#n": "content",
    "json:doc#nothing": "content",
    "json:doc?encoding=base64#l.0": "content",
    "cmd:nothing-like-this": "missing",
    "cmd:./token": "denied",
    "cmd:false": "command",
    "cmd:true": "empty",
    "sh:echo word; exit 7": "command",
    "sh:kill -KILL $$": "command",
    "sh:kill -40 $$": "command",
    "json:cmd:false#a": "command",
    "env:NO_SUCH_VARIABLE": "missing",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_had_is_an_error(text: str) -> None:
    """It says why, in one word too, and never shows what was read."""
    with pytest.raises(SourceError) as caught:
        sources.read(text)
    error = caught.value
    assert error.reason == REFUSED[text]
    assert str(error).startswith(f"{error.source}: ")
    assert error.remedy
    assert "word" not in str(error).replace("echo word", "")


def test_credentials_that_nobody_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message says what to add to the unit."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SourceError) as caught:
        sources.read("credential:token")
    assert caught.value.reason == "missing"
    assert "LoadCredential=" in caught.value.remedy


@pytest.mark.needs_unprivileged
def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    """EACCES is "denied"."""
    (tmp_path / "token").touch(mode=0)
    code = (
        "from secretmem import SourceError, sources\n"
        f"try: sources.read('file:{tmp_path}/token')\n"
        "except SourceError as error: print(error.reason)"
    )
    assert unprivileged.run("-c", code).stdout == "denied\n"


def test_a_descriptor_stays_open() -> None:
    """Its number may stand for something else later."""
    source, target = os.pipe()
    os.write(target, b"word")
    os.close(target)
    with sources.read(f"fd:{source}") as secret:
        assert secret.matches("word")
        assert secret.name == f"fd {source}"
    os.close(source)


def test_stamps_tell_when_a_value_changed(folder: Path) -> None:
    """As the kubelet changes all keys: by a new target of ``..data``."""
    for index in (1, 2):
        (folder / f"..{index}").mkdir()
        (folder / f"..{index}" / "key").write_text("same")
    (folder / "..data").symlink_to("..1")
    (folder / "key").symlink_to("..data/key")
    source = sources.Kubernetes(str(folder), "key")
    before = source.stamp()
    assert source.stamp() == before
    (folder / "..new").symlink_to("..2")
    (folder / "..new").rename(folder / "..data")
    assert source.stamp() != before
    assert sources.parse(f"json:{folder}/key#a").stamp() == source.stamp()
    assert sources.parse("cmd:true").stamp() is None
    (folder / "key").unlink()
    with pytest.raises(FileNotFoundError):
        source.stamp()


def test_wrong_arguments_are_value_errors() -> None:
    """Of the classes, which are given no text."""
    wrong: list[tuple[Any, tuple[Any, ...]]] = [
        (sources.File, ("",)),
        (sources.File, ("a\0b",)),
        (sources.Docker, ("a/b",)),
        (sources.Credential, ("",)),
        (sources.Descriptor, (-1,)),
        (sources.Command, ([],)),
        (sources.Command, ("echo x",)),
        (sources.Environment, ("A=B",)),
        (sources.Keyring, ("", "user")),
    ]
    for cls, arguments in wrong:
        with pytest.raises(ValueError, match=r"."):
            cls(*arguments)
    with pytest.raises(ValueError, match="base64"):
        sources.File("x", encoding="rot13")


class Reversed(sources.Source):
    """A scheme of another package."""

    scheme = "reversed"

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the rest."""
        del text
        made = cls()
        made.rest = rest
        return made

    rest: str

    @property
    def name(self) -> str:
        """Of the secret."""
        return "reversed"

    def _load(self, options: dict[str, Any]) -> Secret:
        return Secret.from_bytes(self.rest[::-1].encode(), **options)

    def __str__(self) -> str:
        return f"reversed:{self.rest}"


def test_other_packages_add_schemes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By entry points; ours are not replaced, and nonsense is refused."""
    group = "secretmem.sources"
    there = [
        importlib.metadata.EntryPoint(name, f"{__name__}:{what}", group)
        for name, what in (
            ("reversed", "Reversed"),
            ("file", "Reversed"),
            ("wrong", "READ"),
        )
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: there)
    monkeypatch.setattr(
        importlib.metadata.EntryPoint, "load", lambda e: globals()[e.attr]
    )
    with sources.read("reversed:drow") as secret:
        assert secret.matches("word")
    assert "reversed" in sources.schemes()
    assert sources.known("reversed")
    assert type(sources.parse("file:x")) is sources.File
    with pytest.raises(SourceError, match="no subclass"):
        sources.parse("wrong:x")
