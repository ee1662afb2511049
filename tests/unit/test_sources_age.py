"""`secretmem.sources`: files of age, and who can decrypt them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from secretmem import SourceError, age, hazmat, sources


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an encrypted file, its identity, and another one."""
    monkeypatch.chdir(tmp_path)
    with age.Identity.generate() as identity, age.Identity.generate() as other:
        sealed = age.encrypt(b"776f7264", [identity.recipient])
        Path("token.age").write_bytes(sealed)
        Path("armored").write_bytes(
            age.encrypt(b'{"a": "word"}\n', [identity.recipient], armor=True)
        )
        encoded = base64.b64encode(sealed).decode()
        Path("doc").write_text(json.dumps({"token": encoded}))
        for name, each in (("key", identity), ("other", other)):
            with each.text() as text:
                Path(name).write_bytes(hazmat.export_bytes(text))
    Path("with:colon").write_bytes(Path("key").read_bytes())


@pytest.mark.parametrize(
    "identity", ["key", "./with:colon", "file:key?strip=yes", "cmd:cat key"]
)
def test_a_file_is_decrypted(identity: str) -> None:
    """The identity is a path or another source."""
    text = f"age:token.age?identity={identity}"
    for each in (text, str(sources.parse(text))):
        with sources.read(each) as secret:
            assert secret.matches("776f7264")
            assert secret.name == "token"
    assert sources.parse(str(sources.parse(text))) == sources.parse(text)
    with sources.read(f"{text}&encoding=hex", inherit=True) as secret:
        assert secret.matches("word")
        assert secret.inherit
    assert sources.parse(text).stamp() == sources.File("token.age").stamp()


@pytest.mark.parametrize(
    "text, reason",
    [
        ("age:token.age?identity=other", "content"),
        ("age:token.age?identity=nothing", "missing"),
        ("age:nothing?identity=key", "missing"),
        ("age:key?identity=key", "content"),
        ("age:token.age?identity=token.age", "content"),
        ("json:age:token.age?identity=key#a", "content"),
        ("age:cmd:cat armored?identity=other", "content"),
        ("age:cmd:cat key?identity=key", "content"),
        ("age:cmd:echo word?identity=key", "content"),
        ("age:sh:printf '%2000s'; cat armored?identity=key", "content"),
        ("age:sh:printf '%20s' x?identity=key", "content"),
        ("age:sh:echo?identity=key", "content"),
        ("age:cmd:false?identity=key", "command"),
        ("age:cmd:true?identity=key", "empty"),
        ("age:cmd:cat token.age?identity=cmd:false", "command"),
        ("age:file:token.age?max_size=20?identity=key", "content"),
        ("age:env:NO_SUCH_VARIABLE?identity=key", "missing"),
        ("age:json:doc#token?identity=key", "content"),
        ("age:nothing:token.age?identity=key", "missing"),
    ],
)
def test_what_cannot_be_decrypted(text: str, reason: str) -> None:
    """No identity that fits, none at all, no such file."""
    with pytest.raises(SourceError) as caught:
        sources.read(text)
    assert caught.value.reason == reason
    assert "word" not in str(caught.value).replace("echo word", "")


@pytest.mark.parametrize(
    "text, name",
    [
        ("age:cmd:cat armored?identity=key", "cat"),
        ("age:sh:cat armored; echo?identity=cmd:cat key", "sh"),
        ("age:sh:printf '\\r\\n \\n'; cat armored?identity=key", "sh"),
        ("age:sh:grep -v '?' armored?identity=key", "sh"),
        ("age:file:armored?strip?identity=file:key?strip", "armored"),
        ("age:file:armored?identity=key&empty", "armored"),
    ],
)
def test_what_another_source_gives_is_decrypted(text: str, name: str) -> None:
    """Its options begin at the last ``?identity=``; JSON goes around it."""
    source = sources.parse(text)
    assert sources.parse(str(source)) == source
    assert source.name == name
    with source.read() as secret:
        assert secret.matches('{"a": "word"}\n')
    with sources.read(f"json:{text}#a") as secret:
        assert secret.matches("word")


def test_ciphertext_in_a_document() -> None:
    """In base64, and the value in hexadecimal digits."""
    text = "age:json:doc?encoding=base64#token?identity=key&encoding=hex"
    source = sources.parse(text)
    assert str(source) == text
    assert [str(each) for each in source.leaves()] == ["file:doc", "file:key"]
    assert source.stamp() == sources.File("doc").stamp()
    with source.read() as secret:
        assert secret.matches("word")
        assert secret.name == "token"


def test_an_identity_that_is_encrypted_itself() -> None:
    """Then its own ``?`` is written as ``%3F``."""
    with age.Identity.generate() as outer, outer.text() as text:
        Path("outer").write_bytes(hazmat.export_bytes(text))
        sealed = age.encrypt(Path("key").read_bytes(), [outer.recipient])
        Path("key.age").write_bytes(sealed)
    written = "age:cmd:cat token.age?identity=age:key.age%3Fidentity=outer"
    assert str(sources.parse(written)) == written
    with sources.read(written) as secret:
        assert secret.matches("776f7264")


def test_white_space_at_the_end_of_a_binary_file() -> None:
    """Is ciphertext: a command's output is not stripped of it."""
    with age.Identity.generate() as identity, identity.text() as text:
        Path("key").write_bytes(hazmat.export_bytes(text))
        sealed = b""
        # One in about 40 ends so.
        while sealed == sealed.rstrip():
            sealed = age.encrypt(b"word", [identity.recipient])
    Path("token.age").write_bytes(sealed)
    for source in (
        sources.parse("age:cmd:cat token.age?identity=key"),
        sources.Age(sources.Command(["cat", "token.age"]), "key"),
    ):
        with source.read() as secret:
            assert secret.matches("word")
